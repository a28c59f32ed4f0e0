/// Echoes the lines of a server, found by an endpoint string (the nested-TLS answer's first program).

#include <torsion/examples/conversation.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

namespace {
std::string where = "tcp:localhost:9999";
}

class LineClient : public LineReceiver {
public:
    explicit LineClient(examples::Conversation conversation) : conversation_(std::move(conversation)) {}

    void connectionMade() override {
        conversation_.okIfEndsCleanly("the server has closed the connection");
        conversation_.lastsForEver();
    }
    void lineReceived(BytesView line) override {
        conversation_.heard(line);
        sendLine(line);
    }
    void connectionLost(const Failure& reason) override { conversation_.lost(reason); }

private:
    examples::Conversation conversation_;
};

Deferred<void> talk(Reactor& reactor, const examples::Options&, examples::Conversation conversation) {
    auto endpoint = endpoints::clientFromString(reactor, where);
    co_await endpoint->connect(ClientFactory::forProtocol<LineClient>(conversation));
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("line_client", "Sends back each line that a server sends.");
    return options.text("endpoint", where, "where the server is").run(argc, argv, talk);
}
