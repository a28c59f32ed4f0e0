/// An echo client, told by its factory how its connection fared (Twisted's echoclient.py).

#include <torsion/examples/echo_client.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

class EchoClientFactory : public ClientFactory {
public:
    explicit EchoClientFactory(examples::Conversation conversation) : conversation_(std::move(conversation)) {}

    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        return std::make_shared<examples::EchoClient>(conversation_);
    }
    void clientConnectionFailed(Connector&, const Failure& reason) override { done.errback(reason); }
    void clientConnectionLost(Connector&, const Failure&) override { done.callback(); }

    Deferred<void> done;

private:
    examples::Conversation conversation_;
};

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto factory = std::make_shared<EchoClientFactory>(conversation);
    reactor.connectTCP(options.host(), options.port(), factory);
    return factory->done;
}

int main(int argc, char** argv) {
    examples::Options options("echoclient", "Sends three lines and expects them back.");
    return options.client().run(argc, argv, talk);
}
