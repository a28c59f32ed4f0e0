/// The echo server over TLS; the protocol does not know (echoserv_ssl.py).

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto certificate = options.ownCertificate();
    auto factory = Factory::forProtocol<examples::Echo>();
    auto port =
        reactor.listenSSL(options.port(), factory, certificate.options(), examples::kBacklog, options.interface());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("echoserv_ssl", "Sends back whatever it receives over TLS.");
    return options.server().certificate().run(argc, argv, serve);
}
