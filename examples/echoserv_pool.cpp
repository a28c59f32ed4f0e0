/// The echo server on several threads: one port, a reactor for each processor, and no lock in the protocol.

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

namespace {
int reactors = static_cast<int>(ReactorPool::defaultSize());
bool handOver = false;
bool tls = false;
}  // namespace

void serve(const examples::Options& options) {
    ReactorPool pool(static_cast<std::size_t>(reactors), handOver ? Accepting::handOver : Accepting::reusePort);
    const auto makeFactory = [](Reactor&) { return Factory::forProtocol<examples::Echo>(); };
    std::shared_ptr<PoolPort> port;
    if (tls) {
        port = pool.listenSSL(options.port(), makeFactory, options.ownCertificate().options(), examples::kBacklog,
                              options.interface());
    } else {
        port = pool.listenTCP(options.port(), makeFactory, examples::kBacklog, options.interface());
    }
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) examples::listening(reactor, port->getHost());
    });
    pool.run();
}

int main(int argc, char** argv) {
    examples::Options options("echoserv_pool", "Sends back whatever it receives, on several threads.");
    options.server().certificate();
    options.number("--reactors", reactors, 1, static_cast<int>(ReactorPool::kMostReactors), "how many threads serve");
    options.flag("--tls", tls, "speak TLS");
    options.flag("--hand-over", handOver, "let the first reactor accept for all");
    return options.run(argc, argv, serve);
}
