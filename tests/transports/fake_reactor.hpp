#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/string_transport.hpp>

/// A reactor that does nothing but remember what it was asked, and a clock: what endpoints need in order to be tested.
namespace torsion::fakes {

/// A connection attempt, whose outcome the test decides. It treats its factory as a TCP client does.
class FakeConnector final : public Connector {
public:
    FakeConnector(std::string h, int p, std::shared_ptr<ClientFactory> factory, Duration t, Address bind)
        : host(std::move(h)), port(p), timeout(t), bindAddress(std::move(bind)), factory_(std::move(factory)) {}

    const std::string host;
    const int port;
    const Duration timeout;
    const Address bindAddress;
    std::shared_ptr<const ssl::ContextFactory> options;
    int stops = 0;

    ~FakeConnector() override {
        if (protocol_) protocol_->deliverConnectionLost(failureOf<ConnectionLost>());  // a live connection holds itself
    }

    void connect() override {
        state_ = State::connecting;
        factory_->doStart();
        factory_->startedConnecting(*this);
    }
    void disconnect() override {
        if (state_ == State::connecting) return stopConnecting();
        transport->loseConnection();
    }
    void stopConnecting() override {
        if (state_ != State::connecting) throw NotConnectingError();
        ++stops;
        fail(failureOf<UserError>());
    }
    Address getDestination() const override { return HostnameAddress(host, static_cast<std::uint16_t>(port)); }
    State state() const override { return state_; }

    /// The attempt ends without a connection.
    void fail(const Failure& reason) {
        const auto keep = shared_from_this();
        state_ = State::disconnected;
        factory_->clientConnectionFailed(*this, reason);
        finish();
    }

    /// The attempt ends with a connection.
    void succeed() {
        const auto keep = shared_from_this();
        state_ = State::connected;
        std::shared_ptr<Protocol> protocol = factory_->build(getDestination());
        if (!protocol) return lose(failureOf<ConnectionDone>());
        transport = std::make_shared<testing::StringTransport>();
        try {
            protocol->makeConnection(transport);
        } catch (...) {
            const Failure raised = Failure::current();
            factory_->protocolConnected(protocol, &raised);
            transport->failConnection(raised);
            protocol->deliverConnectionLost(raised);
            return lose(raised);
        }
        factory_->protocolConnected(protocol, nullptr);
        protocol_ = std::move(protocol);
    }

    /// The connection ends.
    void lose(const Failure& reason) {
        const auto keep = shared_from_this();
        state_ = State::disconnected;
        if (protocol_) std::exchange(protocol_, nullptr)->deliverConnectionLost(reason);
        factory_->clientConnectionLost(*this, reason);
        finish();
    }

    std::shared_ptr<testing::StringTransport> transport;

private:
    void finish() {
        if (factory_) std::exchange(factory_, nullptr)->doStop();
    }

    std::shared_ptr<ClientFactory> factory_;
    std::shared_ptr<Protocol> protocol_;
    State state_ = State::disconnected;
};

/// A port that was asked for.
class FakePort final : public ListeningPort {
public:
    FakePort(int p, std::string i, int b) : port(p), backlog(b), interface(std::move(i)) {}
    void startListening() override {}
    Deferred<void> stopListening() override { return defer::succeed(); }
    Address getHost() const override { return IPv4Address("127.0.0.1", static_cast<std::uint16_t>(port)); }

    const int port;
    const int backlog;
    const std::string interface;
    std::shared_ptr<const ssl::ContextFactory> options;
};

/// Answers from a table, or leaves the question open.
class FakeResolver final : public HostnameResolver {
public:
    Deferred<std::vector<Address>> resolveHostName(const std::string& host, std::uint16_t port) override {
        asked.push_back(host);
        if (isIPAddress(host) || isIPv6Address(host))
            return defer::succeed(std::vector<Address>{ipAddress(host, port)});
        if (open) return pending.emplace_back();
        std::vector<Address> found;
        for (const std::string& literal : names[host]) found.push_back(ipAddress(literal, port));
        return defer::succeed(std::move(found));
    }

    std::map<std::string, std::vector<std::string>> names;
    bool open = false;
    std::vector<Deferred<std::vector<Address>>> pending;
    std::vector<std::string> asked;
};

class FakeReactor final : public Reactor {
public:
    ~FakeReactor() override {
        posted_.clear();
        clock.clear();
    }

    task::Clock clock;
    std::vector<std::shared_ptr<FakeConnector>> attempts;
    std::vector<std::shared_ptr<FakePort>> ports;
    std::shared_ptr<FakeResolver> resolver = std::make_shared<FakeResolver>();

    /// The latest attempt.
    FakeConnector& last() { return *attempts.back(); }

    /// Runs what other threads post, until @p done or nothing has come for ten seconds.
    template <class Done>
    bool runPostedUntil(Done done) {
        while (!done()) {
            std::vector<Function<void()>> calls;
            {
                std::unique_lock lock(mutex_);
                if (!came_.wait_for(lock, std::chrono::seconds(10), [this] { return !posted_.empty(); })) return false;
                calls.swap(posted_);
            }
            for (auto& call : calls) call();
        }
        return true;
    }

    std::size_t posted() {
        const std::lock_guard lock(mutex_);
        return posted_.size();
    }

    Duration seconds() const override { return clock.seconds(); }
    DelayedCall callLater(Duration delay, Function<void()> function) override {
        return clock.callLater(delay, std::move(function));
    }
    std::vector<DelayedCall> getDelayedCalls() const override { return clock.getDelayedCalls(); }

    std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory>, int backlog,
                                             const std::string& interface) override {
        if (refuse) throw CannotListenError(interface, port, 98);
        ports.push_back(std::make_shared<FakePort>(port, interface, backlog));
        return ports.back();
    }
    std::shared_ptr<ListeningPort> listenSSL(int port, std::shared_ptr<Factory> factory,
                                             const ssl::ContextFactory& options, int backlog,
                                             const std::string& interface) override {
        auto listening = listenTCP(port, std::move(factory), backlog, interface);
        ports.back()->options = options.share();
        return listening;
    }
    std::shared_ptr<Connector> connectTCP(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          Duration timeout, const Address& bindAddress) override {
        if (refuse) throw ConnectBindError("no");
        attempts.push_back(std::make_shared<FakeConnector>(host, port, std::move(factory), timeout, bindAddress));
        attempts.back()->connect();
        return attempts.back();
    }
    std::shared_ptr<Connector> connectSSL(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          const ssl::ContextFactory& options, Duration timeout,
                                          const Address& bindAddress) override {
        auto connector = connectTCP(host, port, std::move(factory), timeout, bindAddress);
        attempts.back()->options = options.share();
        return connector;
    }

    /// What was asked on UNIX sockets, and refused.
    struct UNIXListen {
        std::string path;
        int backlog;
        unsigned mode;
        bool wantPID;
    };
    struct UNIXConnect {
        std::string path;
        Duration timeout;
        bool checkPID;
    };
    std::vector<UNIXListen> unixListens;
    std::vector<UNIXConnect> unixConnects;

    std::shared_ptr<ListeningPort> listenUNIX(const std::string& path, std::shared_ptr<Factory>, int backlog,
                                              unsigned mode, bool wantPID) override {
        unixListens.push_back({path, backlog, mode, wantPID});
        throw CannotListenError(path, "a fake has no UNIX sockets");
    }
    std::shared_ptr<Connector> connectUNIX(const std::string& path, std::shared_ptr<ClientFactory>, Duration timeout,
                                           bool checkPID) override {
        unixConnects.push_back({path, timeout, checkPID});
        throw BadFileError("a fake has no UNIX sockets");
    }
    std::shared_ptr<ListeningPort> adoptStreamPort(int, Address::Kind, std::shared_ptr<Factory>) override { unused(); }
    void adoptStreamConnection(int, Address::Kind, std::shared_ptr<Factory>) override { unused(); }

    void callFromThread(Function<void()> function) override {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(function));
        came_.notify_one();
    }
    void wakeUp() override {}
    void callInThread(Function<void()>) override { unused(); }

    Turn& turn() override { return clock.turn(); }
    HostnameResolver& nameResolver() override { return *resolver; }
    std::shared_ptr<HostnameResolver> installNameResolver(std::shared_ptr<HostnameResolver>) override { unused(); }

    void run(bool) override { unused(); }
    void stop() override { unused(); }
    void crash() override { unused(); }
    bool running() const override { return true; }
    void callWhenRunning(Function<void()> function) override { function(); }
    TriggerID addSystemEventTrigger(SystemEventPhase, const std::string&, Trigger) override { unused(); }
    void removeSystemEventTrigger(TriggerID) override { unused(); }
    void fireSystemEvent(const std::string&) override { unused(); }
    std::unique_ptr<DescriptorWatch> watch(int, DescriptorListener&) override { unused(); }

    /// Makes the next calls throw.
    bool refuse = false;

private:
    [[noreturn]] static void unused() { throw RuntimeError("endpoints do not need this"); }

    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<Function<void()>> posted_;
};

/// What came out of a Deferred, for a test to look at.
template <class T>
class Outcome {
public:
    explicit Outcome(Deferred<T> deferred) : state_(std::make_shared<State>()) {
        deferred.addCallbacks([state = state_](T value) { state->value = std::move(value); },
                              [state = state_](const Failure& failure) { state->failure = failure; });
    }
    bool fired() const { return state_->value.has_value() || state_->failure.has_value(); }
    bool ok() const { return state_->value.has_value(); }
    const T& value() const { return state_->value.value(); }
    const Failure& failure() const { return state_->failure.value(); }
    std::string text() const { return failure().getErrorMessage(); }
    template <class E>
    bool failed() const {
        return state_->failure.has_value() && state_->failure->template check<E>();
    }
    void forget() { state_->value.reset(); }

private:
    struct State {
        std::optional<T> value;
        std::optional<Failure> failure;
    };
    std::shared_ptr<State> state_;
};
template <class T>
Outcome(Deferred<T>) -> Outcome<T>;

}  // namespace torsion::fakes
