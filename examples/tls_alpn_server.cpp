/// A server that agrees on an application protocol during the handshake (Twisted's tls_alpn_npn_server.py).

#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class TLSProtocol : public Protocol, public HandshakeListener {
    void connectionMade() override { transport().as<TCPTransport>().setFinishWriting(true); }
    void handshakeCompleted() override { examples::negotiated(transport().as<SSLTransport>()); }
    void dataReceived(BytesView data) override {
        transport().write(data);
        transport().loseConnection();
    }
    void connectionLost(const Failure& reason) override { examples::lost(reason); }
};

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto certificate = options.ownCertificate();
    auto parameters = ssl::CertificateOptions::Parameters(certificate).acceptableProtocols(options.protocolList());
    auto tls = options.limited(ssl::CertificateOptions(parameters));
    auto factory = Factory::forProtocol<TLSProtocol>();
    auto port = reactor.listenSSL(options.port(), factory, tls, examples::kBacklog, options.interface());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("tls_alpn_server", "Agrees on a protocol, echoes the first octets, closes.");
    return options.server().certificate().protocols().timeouts().run(argc, argv, serve);
}
