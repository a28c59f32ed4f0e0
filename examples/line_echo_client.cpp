/// An echo client as a coroutine that awaits one answer after the other.

#include <torsion/examples/dialogue.hpp>
#include <torsion/examples/echo_client.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto endpoint = endpoints::HostnameEndpoint(reactor, options.host(), options.port());
    auto dialogue = std::make_shared<examples::Dialogue>(conversation);
    co_await endpoints::connectProtocol(endpoint, dialogue);
    for (const BytesView line : examples::kEchoLines) {
        auto answer = co_await dialogue->ask(line);
        if (answer != line) throw Error("the echo of \"" + std::string(line) + "\" is \"" + answer + '"');
    }
    conversation.ok("all lines came back");
    dialogue->transport().loseConnection();
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("line_echo_client", "Sends three lines and awaits the echo of each.");
    return options.client().run(argc, argv, talk);
}
