/// An echo server: the smallest protocol there is (Twisted's echoserv.py).

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto factory = Factory::forProtocol<examples::Echo>();
    auto port = reactor.listenTCP(options.port(), factory, examples::kBacklog, options.interface());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("echoserv", "Sends back whatever it receives.");
    return options.server().run(argc, argv, serve);
}
