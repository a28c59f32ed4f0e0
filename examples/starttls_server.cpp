/// Plain lines until STARTTLS, then lines under TLS on the same connection (starttls_server.py).

#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class TLSServer : public LineReceiver, public HandshakeListener {
public:
    explicit TLSServer(ssl::CertificateOptions options) : options_(std::move(options)) {}

    void connectionMade() override { examples::statePlain(); }
    void lineReceived(BytesView line) override {
        examples::received(line);
        if (line != "STARTTLS") return;
        sendLine("READY");
        transport().as<TLSTransport>().startTLS(options_);
    }
    void handshakeCompleted() override { examples::stateTLS(transport().as<SSLTransport>()); }
    void connectionLost(const Failure& reason) override { examples::lost(reason); }

private:
    ssl::CertificateOptions options_;
};

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto certificate = options.ownCertificate();
    auto factory = Factory::forProtocol<TLSServer>(certificate.options());
    auto endpoint = endpoints::TCP4ServerEndpoint(reactor, options.port(), examples::kBacklog, options.interface());
    auto port = co_await endpoint.listen(factory);
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("starttls_server", "Reads lines, and starts TLS when one asks for it.");
    return options.server().certificate().run(argc, argv, serve);
}
