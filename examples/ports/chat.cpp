/// A room in which everybody hears everybody: a protocol with states, and what its connections share.

#include <iostream>
#include <map>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class Chat;
using Users = std::map<Bytes, Chat*, std::less<>>;

enum class State { GETNAME, CHAT };

/// Asks for a name first; each line is for the others then.
class Chat : public LineReceiver {
public:
    explicit Chat(std::shared_ptr<Users> users) : users_(std::move(users)) {}

    void connectionMade() override { sendLine("Who are you?"); }

    void lineReceived(BytesView line) override {
        if (state_ == State::GETNAME) {
            getName(Bytes(line));
        } else {
            chat(Bytes(line));
        }
    }

    void connectionLost(const Failure&) override {
        if (state_ == State::CHAT) {
            users_->erase(name_);
            tellOthers("* " + name_ + " left");
        }
    }

private:
    void getName(const Bytes& name) {
        if (name.empty() || users_->contains(name)) {
            sendLine("Not that name, please");
            return;
        }
        sendLine("Hello " + name);
        users_->emplace(name, this);
        name_ = name;
        state_ = State::CHAT;
        tellOthers("* " + name_ + " came");
    }

    void chat(const Bytes& line) { tellOthers("<" + name_ + "> " + line); }

    void tellOthers(const Bytes& line) {
        for (const auto& [name, user] : *users_) {
            if (user != this) user->sendLine(line);
        }
    }

    std::shared_ptr<Users> users_;
    Bytes name_;
    State state_ = State::GETNAME;
};

class ChatFactory : public Factory {
public:
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<Chat>(users_); }

private:
    std::shared_ptr<Users> users_ = std::make_shared<Users>();
};

Deferred<void> serve(Reactor& reactor, int portNumber) {
    auto endpoint = endpoints::serverFromString(reactor, "tcp:" + std::to_string(portNumber) + ":interface=127.0.0.1");
    auto port = co_await endpoint->listen(std::make_shared<ChatFactory>());
    std::cout << "LISTENING " << port->getHost().port() << std::endl;
    co_await task::forever();
}

int main(int argc, char** argv) {
    int port = 8123;
    CLI::App parser("Lets people chat.");
    parser.add_option("--port", port, "where to listen");
    CLI11_PARSE(parser, argc, argv);
    return task::react([&](Reactor& reactor) { return serve(reactor, port); });
}
