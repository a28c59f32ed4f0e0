/// TLS in TLS in TLS: layers come and go on one connection as the client's lines ask (the nested-TLS answer).

#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

using Layers = std::vector<ssl::CertificateOptions>;

namespace {
constexpr unsigned kDeepest = 16;  // a client may not pile up layers for ever
}

class OnionServer : public LineReceiver, public OnionListener {
public:
    explicit OnionServer(Layers layers) : layers_(std::move(layers)) {}

    void connectionMade() override { examples::stateOnion(transport()); }
    void layerStarted(unsigned) override { examples::stateOnion(transport()); }
    void layerStopped(unsigned) override { examples::stateOnion(transport()); }

    void lineReceived(BytesView line) override {
        examples::received(line);
        OnionTransport& onion = transport().as<OnionTransport>();
        if (line == "PUSH" && onion.depth() < kDeepest) {
            sendLine("READY");
            const std::size_t layer = std::min<std::size_t>(onion.depth(), layers_.size() - 1);
            onion.startTLS(layers_[layer], ssl::Role::server);  // if it fails, connectionLost tells why
        } else if (line == "POP" && onion.depth() > 0) {
            sendLine("BYE");
            onion.stopTLS();
        } else {
            sendLine(line);
        }
    }

    void connectionLost(const Failure& reason) override { examples::lost(reason); }

private:
    Layers layers_;
};

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    Layers layers;
    for (const auto& certificate : options.ownCertificates()) layers.push_back(certificate.options());
    auto factory = std::make_shared<OnionFactory>(Factory::forProtocol<OnionServer>(layers));
    auto endpoint = endpoints::TCP4ServerEndpoint(reactor, options.port(), examples::kBacklog, options.interface());
    auto port = co_await endpoint.listen(factory);
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("onion_server", "Puts layers of TLS on and takes them off as clients ask.");
    return options.server().certificates().run(argc, argv, serve);
}
