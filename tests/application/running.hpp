#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <torsion/application/multi_service.hpp>
#include <torsion/application/notify.hpp>
#include <torsion/application/run.hpp>
#include <torsion/application/running_application.hpp>
#include <torsion/application/stream_server_endpoint_service.hpp>
#include <torsion/application/user_identity.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/react.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tests/environment_variable.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/transports/socket.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <vector>

/// What the tests of running applications share.
namespace torsion::test {

using namespace torsion::service;
using namespace std::chrono_literals;
using testing::LoggedErrors;
using testing::MemoryReactor;
using State = RunningApplication::State;

/// The service manager's end of NOTIFY_SOCKET.
class ServiceManager {
public:
    explicit ServiceManager(bool abstract = false) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = folder_.file("notify");
        path.copy(address.sun_path + (abstract ? 1 : 0), path.size());
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 1 : 0));
        REQUIRE(::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
        variable_.emplace("NOTIFY_SOCKET", (abstract ? "@" : "") + path);
    }

    /// The next message; "nothing" if there is none.
    std::string next() {
        std::array<char, 4096> room;
        const ssize_t got = ::recv(socket_.descriptor(), room.data(), room.size(), 0);
        return got < 0 ? "nothing" : std::string(room.data(), static_cast<std::size_t>(got));
    }

    /// All messages that there are, their first lines, each with a space behind.
    std::string all() {
        std::string text;
        for (std::string message = next(); message != "nothing"; message = next()) {
            text += message.substr(0, message.find('\n')) + ' ';
        }
        return text;
    }

private:
    test::TemporaryFolder folder_;
    Socket socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    std::optional<EnvironmentVariable> variable_;
};

/// What is logged, a line each.
class Lines {
public:
    Lines() : number_(log::addObserver([this](const log::Event& event) { text += std::string(event.text) + '\n'; })) {}
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
    ~Lines() { log::removeObserver(number_); }
    bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
    std::string text;

private:
    int number_;
};

/// A service that writes down what it is told, and ends when the test says.
class Noting : public Service {
public:
    explicit Noting(std::string& text, const std::string& name = "s") : text_(text) { setName(name); }
    void privilegedStartService() override {
        text_ += name() + "p ";
        if (onPrivilegedStart) onPrivilegedStart();
    }
    void startService() override {
        Service::startService();
        text_ += name() + "+ ";
        if (onStart) onStart();
    }
    Deferred<void> whenReady() override { return rising; }
    Deferred<void> drain() override {
        text_ += name() + "~ ";
        return draining;
    }
    Deferred<void> stopService() override {
        text_ += name() + "- ";
        static_cast<void>(Service::stopService());
        return ending;
    }

    std::function<void()> onPrivilegedStart, onStart;
    Deferred<void> rising = defer::succeed();
    Deferred<void> draining = defer::succeed();
    Deferred<void> ending = defer::succeed();

private:
    std::string& text_;
};

/// What the connections of a server live through.
struct Story {
    std::string text;
    bool closes = true;  ///< when it drains
    std::function<void()> onDraining;
};

class Plain : public Protocol {
public:
    explicit Plain(Story* story) : story_(*story) {}
    void dataReceived(BytesView data) override { transport().write(data); }
    void connectionLost(const Failure& reason) override {
        story_.text += reason.check<ConnectionDone>()      ? "done "
                       : reason.check<ConnectionAborted>() ? "aborted "
                                                           : "lost ";
    }

protected:
    Story& story_;
};

class Draining : public Plain, public DrainListener {
public:
    using Plain::Plain;
    void draining() override {
        story_.text += "draining ";
        if (story_.onDraining) story_.onDraining();
        if (story_.closes) transport().loseConnection();
    }
};

/// A server in memory, run as an application.
template <class P>
struct Served {
    explicit Served(const RunOptions& options = {}) : application(std::make_shared<MultiService>()) {
        auto endpoint = std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, 80);
        application->addService(std::make_shared<StreamServerEndpointService>(std::move(endpoint), factory()));
        application->addService(other);
        running = startApplication(reactor, application, options);
        CHECK(running->state() == State::starting);
        reactor.start();
        CHECK(running->state() == State::running);
    }

    std::shared_ptr<Factory> factory() {
        return std::make_shared<WrappingFactory>(Factory::forProtocol<P>(&story));  // what it can do is found within
    }

    /// One more connection.
    std::shared_ptr<testing::StringTransportWithDisconnection> accept() { return reactor.ports.at(0)->accept(); }

    void stop() {
        reactor.stop();
        reactor.flush();
    }

    void hurry() {
        reactor.fireSystemEvent("hurry");
        reactor.flush();
    }

    /// The reactor has run to its end, and nothing is left.
    void isOver(int status = 0) {
        CHECK(running->state() == State::stopped);
        CHECK(running->status() == status);
        CHECK_FALSE(reactor.running());
        CHECK(reactor.leftBehind() == std::vector<std::string>());
        CHECK(reactor.triggers().empty());
    }

    std::string services;
    Story story;
    MemoryReactor reactor;
    std::shared_ptr<Noting> other = std::make_shared<Noting>(services);
    std::shared_ptr<MultiService> application;
    std::shared_ptr<RunningApplication> running;
};

}  // namespace torsion::test
