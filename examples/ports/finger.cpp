/// Tells what a user is up to, to whoever asks, and lets it be changed: three services that start and stop as one.

#include <iostream>
#include <map>
#include <optional>
#include <sstream>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;
using namespace std::chrono_literals;

Bytes strip(BytesView text) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    return begin == text.npos ? Bytes() : Bytes(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
}

/// Who there is and what they are up to, from a file of lines such as "alice: at lunch".
class Users {
public:
    explicit Users(std::string path) : path_(std::move(path)) {}

    void read() {
        try {
            std::istringstream file(readFile(path_));
            for (std::string line; std::getline(file, line);) {
                const auto colon = line.find(':');
                if (colon != line.npos) users_[strip(line.substr(0, colon))] = strip(line.substr(colon + 1));
            }
            error_.reset();
        } catch (const std::system_error& error) {
            error_ = error;
            log::err(*error_, "the users cannot be read");
        }
    }

    Deferred<Bytes> getUser(BytesView user) const {
        if (error_) return defer::fail<Bytes>(*error_);
        const auto found = users_.find(user);
        return defer::succeed(found == users_.end() ? Bytes("No such user") : found->second);
    }

    void setUser(const Bytes& user, const Bytes& status) { users_[user] = status; }

private:
    std::string path_;
    std::map<Bytes, Bytes, std::less<>> users_;
    std::optional<Failure> error_;
};

/// Answers a user's name with the status, and hangs up.
class Finger : public LineReceiver {
public:
    explicit Finger(std::shared_ptr<Users> users) : users_(std::move(users)) {}

    void lineReceived(BytesView user) override {
        scope()
            .watch(users_->getUser(user))
            .addErrback([] { return "Internal error in server"; })
            .addCallback([this](const Bytes& status) { answer(status); });
    }

private:
    void answer(const Bytes& status) {
        sendLine(status);
        transport().loseConnection();
    }

    std::shared_ptr<Users> users_;
};

/// Takes two lines, a user's name and the new status.
class FingerSetter : public LineReceiver {
public:
    explicit FingerSetter(std::shared_ptr<Users> users) : users_(std::move(users)) {}

    void lineReceived(BytesView line) override {
        lines_.emplace_back(line);
        if (lines_.size() == 2) {
            users_->setUser(lines_[0], lines_[1]);
            transport().loseConnection();
        }
    }

private:
    std::vector<Bytes> lines_;
    std::shared_ptr<Users> users_;
};

/// Serves a protocol, and says at which port.
template <class P>
class Listener : public service::StreamServerEndpointService {
public:
    Listener(Reactor& reactor, std::string what, int port, std::shared_ptr<Users> users)
        : StreamServerEndpointService(
              endpoints::serverFromString(reactor, "tcp:" + std::to_string(port) + ":interface=127.0.0.1"),
              Factory::forProtocol<P>(users)),
          what_(std::move(what)) {
        raiseSynchronously = true;
    }

    void startService() override {
        StreamServerEndpointService::startService();
        whenListening().addCallback([this](const std::shared_ptr<ListeningPort>& port) { announce(*port); });
    }

private:
    void announce(const ListeningPort& port) { std::cout << what_ << ' ' << port.getHost().port() << std::endl; }

    std::string what_;
};

struct Options {
    int port = 7979;
    int setterPort = 7980;
    std::string users = "users";
    int reread = 30000;
};

auto makeApplication(Reactor& reactor, const Options& options) {
    auto users = std::make_shared<Users>(options.users);
    auto application = std::make_shared<service::MultiService>();
    const std::chrono::milliseconds reread(options.reread);
    application->addService<service::TimerService>(reactor, reread, [users] { users->read(); });
    application->addService<Listener<Finger>>(reactor, "LISTENING", options.port, users);
    application->addService<Listener<FingerSetter>>(reactor, "SETTER", options.setterPort, users);
    return application;
}

int main(int argc, char** argv) {
    Options options;
    CLI::App parser("Tells what users are up to.");
    parser.add_option("--port", options.port, "where to ask");
    parser.add_option("--setter-port", options.setterPort, "where to change");
    parser.add_option("--users", options.users, "the file that is read");
    parser.add_option("--reread", options.reread, "how often, in ms");
    CLI11_PARSE(parser, argc, argv);
    return service::run([&](Reactor& reactor) { return makeApplication(reactor, options); }, {.drainTime = 1s});
}
