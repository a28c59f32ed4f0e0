// The server of docs/onion.md, so that it compiles. A test compares the two.

// clang-format off
#include <torsion/torsion.hpp>

using namespace torsion;

class Layers : public LineReceiver, public OnionListener {
public:
    explicit Layers(ssl::CertificateOptions options) : options_(std::move(options)) {}

    void lineReceived(BytesView line) override {
        OnionTransport& onion = transport().as<OnionTransport>();
        if (line == "PUSH" && onion.depth() < 16) {            // a peer may not pile up layers for ever
            sendLine("READY");                                 // still in the layer below
            onion.startTLS(options_, ssl::Role::server);       // if it fails, connectionLost tells why
        } else if (line == "POP" && onion.depth() > 0) {
            sendLine("BYE");                                   // still inside
            onion.stopTLS();                                   // what is written from now on goes below, after the pop
        } else {
            sendLine(line);
        }
    }

    void layerStarted(unsigned depth) override { log::msg("layer " + std::to_string(depth) + " is up"); }
    void layerStopped(unsigned depth) override { log::msg("layer " + std::to_string(depth) + " is gone"); }

private:
    ssl::CertificateOptions options_;
};

Deferred<void> serve(Reactor& reactor, task::Arguments) {
    auto certificate = ssl::PrivateCertificate::loadPEM(readFile("server.pem"));
    auto inner = Factory::forProtocol<Layers>(certificate.options());
    reactor.listenTCP(8001, std::make_shared<OnionFactory>(inner));
    co_await task::forever();
}

int main(int argc, char** argv) { return task::react(serve, argc, argv); }
