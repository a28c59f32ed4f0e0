/// The echo client over TLS, which has a certificate to show (ssl_clientauth_client.py).

#include <torsion/examples/echo_client.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto factory = Factory::forProtocol<examples::EchoClient>(conversation);
    auto clientCertificate = options.ownCertificate();
    auto tls = ssl::optionsForClientTLS(options.hostname(), options.trustRoot(), clientCertificate);
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), tls);
    co_await endpoint.connect(factory);
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("ssl_clientauth_client", "Sends three lines to a server that wants a certificate.");
    return options.client().verify().certificate().run(argc, argv, talk);
}
