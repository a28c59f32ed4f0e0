/// An echo server that understands lines, listening through an endpoint.

#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class LineEcho : public LineReceiver {
    void connectionMade() override { transport().as<TCPTransport>().setFinishWriting(true); }
    void lineReceived(BytesView line) override {
        examples::received(line);
        sendLine(line);
    }
    void connectionLost(const Failure& reason) override { examples::lost(reason); }
};

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto endpoint = endpoints::TCP4ServerEndpoint(reactor, options.port(), examples::kBacklog, options.interface());
    auto port = co_await endpoint.listen(Factory::forProtocol<LineEcho>());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("line_echo_server", "Sends back each line that it receives.");
    return options.server().run(argc, argv, serve);
}
