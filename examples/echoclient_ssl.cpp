/// The echo client over TLS, which verifies whom it talks to (echoclient_ssl.py).

#include <torsion/examples/echo_client.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto factory = Factory::forProtocol<examples::EchoClient>(conversation);
    auto tls = ssl::optionsForClientTLS(options.hostname(), options.trustRoot());
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), tls);
    co_await endpoint.connect(factory);
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("echoclient_ssl", "Sends three lines over TLS and expects them back.");
    return options.client().verify().run(argc, argv, talk);
}
