/// The echo server over TLS for clients with a certificate only (ssl_clientauth_server.py).

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto authorities = options.clientAuthorities();
    auto certificate = options.ownCertificate();
    auto factory = Factory::forProtocol<examples::Echo>();
    auto port = reactor.listenSSL(options.port(), factory, certificate.options(authorities), examples::kBacklog,
                                  options.interface());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("ssl_clientauth_server", "Sends back what clients with the right certificate send.");
    return options.server().certificate().clientAuthority().run(argc, argv, serve);
}
