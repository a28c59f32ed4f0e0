/// Reminds a chat room of something, again and again: a client that stays connected, whatever happens to the server.

#include <iostream>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;
using namespace std::chrono_literals;

class NameRefused : public Error {
public:
    NameRefused() : Error("the name was refused") {}
};

/// Gives its name, and knows when the room has let it in.
class Reminder : public LineReceiver {
public:
    explicit Reminder(Bytes name) : name_(std::move(name)) {}

    Deferred<void> welcome;

    void connectionMade() override { sendLine(name_); }

    void lineReceived(BytesView line) override {
        if (welcome.called()) return;
        if (line.starts_with("Hello ")) {
            welcome.callback();
        } else if (line.starts_with("Not ")) {
            welcome.errback(NameRefused());
        }
    }

    void connectionLost(const Failure& reason) override {
        if (!welcome.called()) welcome.errback(reason);
    }

private:
    Bytes name_;
};

Deferred<void> logIn(std::shared_ptr<Protocol> protocol) {
    auto reminder = std::static_pointer_cast<Reminder>(protocol);
    co_await reminder->welcome;
    std::cout << "logged in" << std::endl;
}

struct Options {
    int port = 8123;
    std::string name = "reminder";
    std::string text = "drink water";
    int every = 60000;
};

Deferred<void> remind(Reactor& reactor, Options options) {
    auto endpoint = endpoints::clientFromString(reactor, "tcp:127.0.0.1:" + std::to_string(options.port));
    auto factory = Factory::forProtocol<Reminder>(options.name);
    auto client =
        std::make_shared<service::ClientService>(reactor, endpoint, factory, service::backoffPolicy(100ms, 5s), logIn);
    client->startService();
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [client] { return client->stopService(); });
    try {
        // At the start somebody may be watching: so not for ever.
        auto reminder = co_await client->whenConnected<Reminder>(3);
        for (;;) {
            reminder->sendLine(options.text);
            co_await task::deferLater(reactor, std::chrono::milliseconds(options.every));
            reminder = co_await client->whenConnected<Reminder>();
        }
    } catch (const defer::CancelledError&) {
        // the service was stopped
    } catch (const std::exception&) {
        std::cout << "giving up" << std::endl;
        throw task::Exit(1);
    }
}

int main(int argc, char** argv) {
    Options options;
    CLI::App parser("Reminds a chat room of something.");
    parser.add_option("--port", options.port, "where the chat server listens");
    parser.add_option("--name", options.name, "who to be");
    parser.add_option("--text", options.text, "what to say");
    parser.add_option("--every", options.every, "how often, in ms");
    CLI11_PARSE(parser, argc, argv);
    return task::react([&](Reactor& reactor) { return remind(reactor, options); });
}
