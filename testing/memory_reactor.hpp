#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/reactor.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/testing/memory_connector.hpp>
#include <torsion/testing/memory_resolver.hpp>

namespace torsion::detail {
class SystemEvents;
}

namespace torsion::testing {

/// A reactor without an operating system (twisted.internet.testing.MemoryReactorClock): it remembers what it was asked
/// for, and the test decides what comes of it. Time stands still but for advance(); what other threads or callInThread
/// post runs in the next turn, on the test's thread.
///
/// @code
///     MemoryReactor reactor;
///     reactor.connectTCP("example.com", 80, factory);
///     auto transport = reactor.connectors.at(0)->succeed();       // or fail(ConnectionRefusedError())
///     transport->protocol()->dataReceived("hello");
///     reactor.advance(30s);
/// @endcode
///
/// With setLoopback(true) it connects attempts to its own ports, so that whole programs run in memory. No TLS is
/// spoken: what listenSSL and connectSSL were given is kept beside the rest.
class MemoryReactor : public Reactor {
public:
    MemoryReactor();
    ~MemoryReactor() override;

    // What was asked for, in order.

    struct TCPServer {
        int port;
        std::shared_ptr<Factory> factory;
        int backlog;
        std::string interface;
        std::shared_ptr<MemoryPort> listening;
    };
    struct SSLServer : TCPServer {
        std::shared_ptr<const ssl::ContextFactory> options;
    };
    struct TCPClient {
        std::string host;
        int port;
        std::shared_ptr<ClientFactory> factory;
        Duration timeout;
        Address bindAddress;
        std::shared_ptr<MemoryConnector> connector;
    };
    struct SSLClient : TCPClient {
        std::shared_ptr<const ssl::ContextFactory> options;
    };
    struct UNIXServer {
        std::string path;
        std::shared_ptr<Factory> factory;
        int backlog;
        unsigned mode;
        bool wantPID;
        std::shared_ptr<MemoryPort> listening;
    };
    struct UNIXClient {
        std::string path;
        std::shared_ptr<ClientFactory> factory;
        Duration timeout;
        bool checkPID;
        std::shared_ptr<MemoryConnector> connector;
    };
    struct Adopted {
        int fileDescriptor;
        Address::Kind addressFamily;
        std::shared_ptr<Factory> factory;
        std::shared_ptr<MemoryPort> listening;  ///< null for a connection
    };

    std::vector<TCPServer> tcpServers;
    std::vector<SSLServer> sslServers;
    std::vector<UNIXServer> unixServers;
    std::vector<TCPClient> tcpClients;
    std::vector<SSLClient> sslClients;
    std::vector<UNIXClient> unixClients;
    std::vector<Adopted> adoptedPorts;
    std::vector<Adopted> adoptedStreamConnections;

    /// All attempts and all ports of the above, in order.
    std::vector<std::shared_ptr<MemoryConnector>> connectors;
    std::vector<std::shared_ptr<MemoryPort>> ports;

    /// A system event trigger that has not fired.
    struct Registered {
        SystemEventPhase phase;
        std::string event;
        TriggerID id;
    };
    const std::vector<Registered>& triggers() const noexcept { return triggers_; }

    /// The descriptors that somebody wants to read, and to write.
    std::vector<int> readers() const;
    std::vector<int> writers() const;

    bool hasRun() const noexcept { return hasRun_; }

    // What the test decides.

    /// Passes turns until nothing is due, posted or on its way; moves the time on; and once more.
    /// @throws ValueError if @p amount is negative; RuntimeError as flush()
    void advance(Duration amount);
    /// advance() by each of @p amounts in turn.
    void pump(const std::vector<Duration>& amounts);

    /// Passes turns until nothing is due, posted or on its way. @throws RuntimeError if there is no end after
    /// kMaxTurns
    void flush();
    static constexpr std::size_t kMaxTurns = 100000;

    /// Passes one turn. @return whether anything happened
    bool passTurn();

    /// Whether attempts are connected by themselves, in the next turn: to a port of this reactor that listens at the
    /// same number or path, over an IOPump that advance() and flush() move; others are refused. Off by default.
    void setLoopback(bool enabled) noexcept { loopback_ = enabled; }

    /// How the connections of the loopback cut what they deliver; see segmentation.hpp.
    void setSegmentation(const Segmentation& segmentation);

    /// Connects the oldest attempt as the loopback does, or, where nobody listens, to an AccumulatingProtocol
    /// (iosim.ConnectionCompleter.succeedOnce). @return what moves octets; advance() and flush() do, too
    /// Not to be called from inside a turn.
    /// @throws RuntimeError if no attempt is under way
    std::shared_ptr<IOPump> succeedOnce();
    /// The oldest attempt fails (iosim.ConnectionCompleter.failOnce). @throws RuntimeError if there is none
    void failOnce(const Failure& reason = failureOf<ConnectionRefusedError>());

    /// Tells who watches @p descriptor that it can be read or written, as far as he wants to know.
    void makeReadable(int descriptor);
    void makeWritable(int descriptor);

    /// The deadline of the earliest timer.
    std::optional<Duration> nextTimer() const;

    /// What a test that is over must not leave, a line each: timers, posted calls, ports, attempts, connections.
    std::vector<std::string> leftBehind() const;

    /// Fires the startup event unless it runs already: what was given to callWhenRunning runs.
    void start();

    /// Ends every attempt, connection and port, and drops every timer and posted call, as the end of a reactor does.
    void clear();

    task::Clock& clock() noexcept { return *clock_; }
    const std::shared_ptr<task::Clock>& clockHandle() const noexcept { return clock_; }
    /// Unless another one was installed.
    MemoryResolver& memoryResolver() noexcept { return *memoryResolver_; }

    // ReactorTime
    Duration seconds() const override { return clock_->seconds(); }
    DelayedCall callLater(Duration delay, Function<void()> function) override;
    std::vector<DelayedCall> getDelayedCalls() const override { return clock_->getDelayedCalls(); }

    // ReactorCore

    /// Fires the startup event, passes turns until nothing happens at the present time, then stops unless somebody has
    /// stopped it, and fires the shutdown event.
    void run(bool installSignalHandlers = true) override;
    /// The shutdown event comes in the next turn.
    void stop() override;
    void crash() override { running_ = false; }
    bool running() const override { return running_; }
    void callWhenRunning(Function<void()> function) override;
    TriggerID addSystemEventTrigger(SystemEventPhase phase, const std::string& event, Trigger trigger) override;
    void removeSystemEventTrigger(TriggerID trigger) override;
    void fireSystemEvent(const std::string& event) override;

    // ReactorFDSet
    std::unique_ptr<DescriptorWatch> watch(int descriptor, DescriptorListener& listener) override;

    // ReactorTCP, ReactorSSL, ReactorUNIX, ReactorSocket
    std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory> factory, int backlog = kDefaultBacklog,
                                             const std::string& interface = "") override;
    std::shared_ptr<Connector> connectTCP(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          Duration timeout = kDefaultConnectTimeout,
                                          const Address& bindAddress = Address()) override;
    std::shared_ptr<ListeningPort> listenSSL(int port, std::shared_ptr<Factory> factory,
                                             const ssl::ContextFactory& options, int backlog = kDefaultBacklog,
                                             const std::string& interface = "") override;
    std::shared_ptr<Connector> connectSSL(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          const ssl::ContextFactory& options, Duration timeout = kDefaultConnectTimeout,
                                          const Address& bindAddress = Address()) override;
    std::shared_ptr<ListeningPort> listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                                              int backlog = kDefaultBacklog, unsigned mode = kDefaultMode,
                                              bool wantPID = false) override;
    std::shared_ptr<Connector> connectUNIX(const std::string& path, std::shared_ptr<ClientFactory> factory,
                                           Duration timeout = kDefaultConnectTimeout, bool checkPID = false) override;
    std::shared_ptr<ListeningPort> adoptStreamPort(int fileDescriptor, Address::Kind addressFamily,
                                                   std::shared_ptr<Factory> factory) override;
    void adoptStreamConnection(int fileDescriptor, Address::Kind addressFamily,
                               std::shared_ptr<Factory> factory) override;

    // ReactorThreads
    void callFromThread(Function<void()> function) override;
    void wakeUp() override {}
    void callInThread(Function<void()> function) override { callFromThread(std::move(function)); }

    Turn& turn() override { return clock_->turn(); }
    std::vector<std::shared_ptr<Protocol>> acceptedProtocols() const override;
    HostnameResolver& nameResolver() override { return *resolver_; }
    std::shared_ptr<HostnameResolver> installNameResolver(std::shared_ptr<HostnameResolver> resolver) override;

protected:
    /// Called before something is listened at or connected to: what it throws comes out there.
    virtual void beforeListen() {}
    virtual void beforeConnect() {}

private:
    class Watch;

    std::shared_ptr<MemoryPort> addPort(Address host, std::shared_ptr<Factory> factory);
    std::shared_ptr<MemoryConnector> addConnector(Address destination, std::shared_ptr<ClientFactory> factory,
                                                  Duration timeout);
    TCPServer tcpServer(int port, std::shared_ptr<Factory> factory, int backlog, const std::string& interface);
    TCPClient tcpClient(const std::string& host, int port, std::shared_ptr<ClientFactory> factory, Duration timeout,
                        const Address& bindAddress);
    std::shared_ptr<MemoryConnector> oldestAttempt(const char* caller) const;
    std::shared_ptr<MemoryPort> portFor(const Address& destination) const;
    std::shared_ptr<IOPump> complete(MemoryConnector& connector, std::shared_ptr<Protocol> server);
    bool loopAttempts();
    bool movePumps();
    void disconnectAll(const Failure& reason);
    void beginShutdown();
    template <class Call>
    void tell(int descriptor, bool Watch::*wanted, Call call);

    std::shared_ptr<task::Clock> clock_ = std::make_shared<task::Clock>();
    std::shared_ptr<MemoryResolver> memoryResolver_ = std::make_shared<MemoryResolver>();
    std::shared_ptr<HostnameResolver> resolver_ = memoryResolver_;
    std::unique_ptr<torsion::detail::SystemEvents> events_;
    std::vector<Registered> triggers_;
    std::vector<Watch*> watches_;
    std::vector<std::shared_ptr<IOPump>> pumps_;
    Segmentation segmentation_;
    mutable std::mutex postedMutex_;
    std::vector<Function<void()>> posted_;
    std::uint16_t nextPort_ = 40000;
    bool loopback_ = false;
    bool hasRun_ = false;
    bool running_ = false;
    bool stopping_ = false;
};

/// In Twisted the one with a clock; here both have one.
using MemoryReactorClock = MemoryReactor;

/// A MemoryReactor that cannot listen or connect (twisted.internet.testing.RaisingMemoryReactor).
class RaisingMemoryReactor : public MemoryReactor {
public:
    /// @param listenException what every listen and adopt throws; none lets them pass
    /// @param connectException what every connect throws; none lets them pass
    explicit RaisingMemoryReactor(std::optional<Failure> listenException,
                                  std::optional<Failure> connectException = std::nullopt);

protected:
    void beforeListen() override;
    void beforeConnect() override;

private:
    std::optional<Failure> listenException_;
    std::optional<Failure> connectException_;
};

}  // namespace torsion::testing
