#include <torsion/testing/memory_reactor.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/system_events.hpp>
#include <torsion/testing/accumulating_protocol.hpp>

namespace torsion::testing {

namespace {

/// How often the end of a reactor is told to those who begin anew.
constexpr int kMaxRounds = 100;

}  // namespace

/// The interest in one descriptor.
class MemoryReactor::Watch final : public DescriptorWatch {
public:
    Watch(MemoryReactor& owner, int number, DescriptorListener& who)
        : reactor(&owner), descriptor(number), listener(who) {
        reactor->watches_.push_back(this);
    }
    ~Watch() override {
        if (reactor != nullptr) std::erase(reactor->watches_, this);
    }
    void setReading(bool wanted) override { reading = wanted; }
    void setWriting(bool wanted) override { writing = wanted; }

    MemoryReactor* reactor;  ///< null when that is gone
    int descriptor;
    DescriptorListener& listener;
    bool reading = false;
    bool writing = false;
};

MemoryReactor::MemoryReactor() : events_(std::make_unique<torsion::detail::SystemEvents>()) {}

MemoryReactor::~MemoryReactor() {
    clear();
    events_.reset();
    for (Watch* const watch : watches_) watch->reactor = nullptr;
}

void MemoryReactor::clear() {
    loopback_ = false;
    // What is told of its end may begin anew: in rounds, until nothing is left.
    for (int round = 0; round < kMaxRounds; ++round) {
        std::vector<Function<void()>> posted;
        {
            const std::lock_guard lock(postedMutex_);
            posted.swap(posted_);
        }
        posted.clear();
        clock_->clear();
        disconnectAll(failureOf<ConnectionLost>());
        if (!clock_->turn().busy() && pumps_.empty() && !nextTimer()) break;
        if (!clock_->inTurn()) passTurn();
    }
}

void MemoryReactor::disconnectAll(const Failure& reason) {
    for (const auto& pump : std::vector(pumps_)) pump->breakConnection(reason);
    for (const auto& connector : std::vector(connectors)) connector->reactorGone(reason);
    for (const auto& port : std::vector(ports)) port->reactorGone(reason);
    const std::vector<Watch*> watching = watches_;
    for (Watch* const watch : watching) {
        // One listener's end may be that of another's watch.
        if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end()) continue;
        std::erase(watches_, watch);
        watch->reactor = nullptr;
        watch->listener.reactorGone(reason);
    }
}

// Time and turns.

DelayedCall MemoryReactor::callLater(Duration delay, Function<void()> function) {
    return clock_->callLater(delay, std::move(function));
}

std::optional<Duration> MemoryReactor::nextTimer() const {
    std::optional<Duration> earliest;
    for (const DelayedCall& call : clock_->getDelayedCalls()) {
        if (call.active() && (!earliest || call.getTime() < *earliest)) earliest = call.getTime();
    }
    return earliest;
}

bool MemoryReactor::passTurn() {
    std::vector<Function<void()>> posted;
    {
        const std::lock_guard lock(postedMutex_);
        posted.swap(posted_);
    }
    bool moved = !posted.empty();
    for (Function<void()>& function : posted) clock_->turn().later(std::move(function));
    moved = (loopback_ && loopAttempts()) || moved;
    moved = clock_->passTurn() || moved;
    return movePumps() || moved;
}

bool MemoryReactor::movePumps() {
    bool moved = false;
    for (const auto& pump : std::vector(pumps_)) moved = pump->pump() || moved;
    std::erase_if(pumps_, [](const auto& pump) { return !pump->client().connected() && !pump->server().connected(); });
    return moved;
}

void MemoryReactor::flush() {
    for (std::size_t turns = 0; passTurn(); ++turns) {
        if (turns < kMaxTurns) continue;
        throw RuntimeError(
            fmt::format("MemoryReactor::flush: something still happens after {} turns: a timer of zero, a call that "
                        "posts itself, or "
                        "two protocols that answer each other for ever ({} connections in memory)",
                        kMaxTurns, pumps_.size()));
    }
}

void MemoryReactor::advance(Duration amount) {
    flush();  // what is under way arrives before the time moves
    clock_->advance(amount);
    flush();
}

void MemoryReactor::pump(const std::vector<Duration>& amounts) {
    for (const Duration amount : amounts) advance(amount);
}

void MemoryReactor::callFromThread(Function<void()> function) {
    const std::lock_guard lock(postedMutex_);
    posted_.push_back(std::move(function));
}

// Life and system events.

void MemoryReactor::start() {
    if (running_) return;
    hasRun_ = true;
    stopping_ = false;
    events_->fire("startup", [this] { running_ = true; });
}

void MemoryReactor::run(bool) {
    if (running_) throw ReactorAlreadyRunning();
    start();
    flush();
    if (running_ && !stopping_) stop();
    flush();
}

void MemoryReactor::stop() {
    if (!running_ || stopping_) throw ReactorNotRunning();
    stopping_ = true;
    turn().later([this] { beginShutdown(); });
}

void MemoryReactor::beginShutdown() {
    events_->fire(
        "shutdown",
        [this] {
            running_ = false;
            disconnectAll(failureOf<ConnectionLost>());
        },
        [this](Function<void()> rest) { turn().later(std::move(rest)); });
}

void MemoryReactor::callWhenRunning(Function<void()> function) {
    if (running_) {
        function();
        return;
    }
    addSystemEventTrigger(SystemEventPhase::after, "startup", [f = std::move(function)]() mutable -> Deferred<void> {
        f();
        return defer::succeed();
    });
}

ReactorCore::TriggerID MemoryReactor::addSystemEventTrigger(SystemEventPhase phase, const std::string& event,
                                                            Trigger trigger) {
    if (!trigger) throw ValueError("addSystemEventTrigger needs a function to call");
    const auto number = std::make_shared<TriggerID>();
    *number = events_->add(phase, event, [this, number, trigger = std::move(trigger)]() mutable {
        std::erase_if(triggers_, [&](const Registered& one) { return one.id == *number; });
        return trigger();
    });
    triggers_.push_back({phase, event, *number});
    return *number;
}

void MemoryReactor::removeSystemEventTrigger(TriggerID trigger) {
    events_->remove(trigger);
    std::erase_if(triggers_, [trigger](const Registered& one) { return one.id == trigger; });
}

void MemoryReactor::fireSystemEvent(const std::string& event) {
    events_->fire(event, [] {});
}

// Descriptors.

std::unique_ptr<DescriptorWatch> MemoryReactor::watch(int descriptor, DescriptorListener& listener) {
    return std::make_unique<Watch>(*this, descriptor, listener);
}

std::vector<int> MemoryReactor::readers() const {
    std::vector<int> found;
    for (const Watch* const watch : watches_) {
        if (watch->reading) found.push_back(watch->descriptor);
    }
    return found;
}

std::vector<int> MemoryReactor::writers() const {
    std::vector<int> found;
    for (const Watch* const watch : watches_) {
        if (watch->writing) found.push_back(watch->descriptor);
    }
    return found;
}

template <class Call>
void MemoryReactor::tell(int descriptor, bool Watch::*wanted, Call call) {
    for (Watch* const watch : std::vector(watches_)) {
        if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end()) continue;
        if (watch->descriptor != descriptor || !(watch->*wanted)) continue;
        DescriptorListener& listener = watch->listener;
        try {
            (listener.*call)();
        } catch (...) {
            const Failure failure = Failure::current();
            log::err(failure, "in a descriptor's listener");
            listener.reactorGone(failure);
        }
    }
}

void MemoryReactor::makeReadable(int descriptor) { tell(descriptor, &Watch::reading, &DescriptorListener::readable); }

void MemoryReactor::makeWritable(int descriptor) { tell(descriptor, &Watch::writing, &DescriptorListener::writable); }

// Servers and clients.

std::shared_ptr<MemoryPort> MemoryReactor::addPort(Address host, std::shared_ptr<Factory> factory) {
    beforeListen();
    auto port = std::make_shared<MemoryPort>(clock_, std::move(host), std::move(factory));
    port->startListening();
    ports.push_back(port);
    return port;
}

std::shared_ptr<MemoryConnector> MemoryReactor::addConnector(Address destination,
                                                             std::shared_ptr<ClientFactory> factory, Duration timeout) {
    beforeConnect();
    auto connector = std::make_shared<MemoryConnector>(clock_, std::move(destination), std::move(factory), timeout);
    connectors.push_back(connector);
    return connector;
}

MemoryReactor::TCPServer MemoryReactor::tcpServer(int port, std::shared_ptr<Factory> factory, int backlog,
                                                  const std::string& interface) {
    if (port < 0 || port > 65535) throw ValueError(fmt::format("A port is a number from 0 to 65535, not {}", port));
    const std::uint16_t bound = port != 0 ? static_cast<std::uint16_t>(port) : nextPort_++;
    auto listening = addPort(ipAddress(interface.empty() ? "0.0.0.0" : interface, bound), factory);
    return {port, std::move(factory), backlog, interface, std::move(listening)};
}

MemoryReactor::TCPClient MemoryReactor::tcpClient(const std::string& host, int port,
                                                  std::shared_ptr<ClientFactory> factory, Duration timeout,
                                                  const Address& bindAddress) {
    if (port < 0 || port > 65535) throw ValueError(fmt::format("A port is a number from 0 to 65535, not {}", port));
    const auto number = static_cast<std::uint16_t>(port);
    const bool literal = isIPAddress(host) || isIPv6Address(host);
    auto connector =
        addConnector(literal ? ipAddress(host, number) : Address(HostnameAddress(host, number)), factory, timeout);
    return {host, port, std::move(factory), timeout, bindAddress, std::move(connector)};
}

std::shared_ptr<ListeningPort> MemoryReactor::listenTCP(int port, std::shared_ptr<Factory> factory, int backlog,
                                                        const std::string& interface) {
    tcpServers.push_back(tcpServer(port, std::move(factory), backlog, interface));
    return tcpServers.back().listening;
}

std::shared_ptr<ListeningPort> MemoryReactor::listenSSL(int port, std::shared_ptr<Factory> factory,
                                                        const ssl::ContextFactory& options, int backlog,
                                                        const std::string& interface) {
    sslServers.push_back({tcpServer(port, std::move(factory), backlog, interface), options.share()});
    return sslServers.back().listening;
}

std::shared_ptr<Connector> MemoryReactor::connectTCP(const std::string& host, int port,
                                                     std::shared_ptr<ClientFactory> factory, Duration timeout,
                                                     const Address& bindAddress) {
    tcpClients.push_back(tcpClient(host, port, std::move(factory), timeout, bindAddress));
    const auto connector = tcpClients.back().connector;
    connector->connect();
    return connector;
}

std::shared_ptr<Connector> MemoryReactor::connectSSL(const std::string& host, int port,
                                                     std::shared_ptr<ClientFactory> factory,
                                                     const ssl::ContextFactory& options, Duration timeout,
                                                     const Address& bindAddress) {
    sslClients.push_back({tcpClient(host, port, std::move(factory), timeout, bindAddress), options.share()});
    const auto connector = sslClients.back().connector;
    connector->connect();
    return connector;
}

std::shared_ptr<ListeningPort> MemoryReactor::listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                                                         int backlog, unsigned mode, bool wantPID) {
    auto listening = addPort(UNIXAddress(path), factory);
    unixServers.push_back({path, std::move(factory), backlog, mode, wantPID, std::move(listening)});
    return unixServers.back().listening;
}

std::shared_ptr<Connector> MemoryReactor::connectUNIX(const std::string& path, std::shared_ptr<ClientFactory> factory,
                                                      Duration timeout, bool checkPID) {
    auto connector = addConnector(UNIXAddress(path), factory, timeout);
    unixClients.push_back({path, std::move(factory), timeout, checkPID, connector});
    connector->connect();
    return connector;
}

std::shared_ptr<ListeningPort> MemoryReactor::adoptStreamPort(int fileDescriptor, Address::Kind addressFamily,
                                                              std::shared_ptr<Factory> factory) {
    const Address host = addressFamily == Address::Kind::unixPath ? Address(UNIXAddress("")) : Address();
    auto listening = addPort(host, factory);
    adoptedPorts.push_back({fileDescriptor, addressFamily, std::move(factory), listening});
    return listening;
}

void MemoryReactor::adoptStreamConnection(int fileDescriptor, Address::Kind addressFamily,
                                          std::shared_ptr<Factory> factory) {
    beforeListen();
    if (!factory) throw ValueError("adoptStreamConnection needs a factory");
    adoptedStreamConnections.push_back({fileDescriptor, addressFamily, std::move(factory), nullptr});
}

std::shared_ptr<HostnameResolver> MemoryReactor::installNameResolver(std::shared_ptr<HostnameResolver> resolver) {
    if (!resolver) throw ValueError("installNameResolver needs a resolver");
    return std::exchange(resolver_, std::move(resolver));
}

// Connections in memory.

std::shared_ptr<MemoryPort> MemoryReactor::portFor(const Address& destination) const {
    const bool path = destination.kind() == Address::Kind::unixPath;
    for (const auto& port : ports) {
        const Address host = port->getHost();
        if (!port->listening() || (host.kind() == Address::Kind::unixPath) != path) continue;
        if (path ? host.host() == destination.host() : host.port() == destination.port()) return port;
    }
    return nullptr;
}

std::shared_ptr<IOPump> MemoryReactor::complete(MemoryConnector& connector, std::shared_ptr<Protocol> server) {
    auto pump = connector.succeedWith(std::move(server));
    if (!pump) return nullptr;
    if (segmentation_) pump->setSegmentation(segmentation_);
    pumps_.push_back(pump);
    return pump;
}

/// A pump's server that no factory built stands in for a peer of ours.
std::vector<std::shared_ptr<Protocol>> MemoryReactor::acceptedProtocols() const {
    std::vector<std::shared_ptr<Protocol>> accepted;
    for (const auto& port : ports) port->addAcceptedTo(accepted);
    for (const auto& pump : pumps_) {
        const std::shared_ptr<Protocol>& server = pump->server().protocol();
        if (server && server->connected() && server->factory()) accepted.push_back(server);
    }
    return accepted;
}

bool MemoryReactor::loopAttempts() {
    bool any = false;
    for (const auto& connector : std::vector(connectors)) {
        if (!connector->pending()) continue;
        any = true;
        const auto port = portFor(connector->getDestination());
        if (!port) {
            connector->fail(ConnectionRefusedError("nobody listens at " + connector->getDestination().str()));
            continue;
        }
        auto server = port->build(IPv4Address("192.168.1.1", 54321));
        // A factory that refuses has the connection closed behind the client's back.
        const bool refused = server == nullptr;
        if (refused) server = std::make_shared<Protocol>();
        const auto pump = complete(*connector, server);
        if (refused && pump) server->transport().loseConnection();
    }
    return any;
}

std::shared_ptr<MemoryConnector> MemoryReactor::oldestAttempt(const char* caller) const {
    for (const auto& connector : connectors) {
        if (connector->pending()) return connector;
    }
    throw RuntimeError(fmt::format("MemoryReactor::{}: no attempt to connect is under way", caller));
}

std::shared_ptr<IOPump> MemoryReactor::succeedOnce() {
    const auto connector = oldestAttempt("succeedOnce");
    const auto port = portFor(connector->getDestination());
    std::shared_ptr<Protocol> server;
    if (port) server = port->build(IPv4Address("192.168.1.1", 54321));
    if (!server) server = std::make_shared<AccumulatingProtocol>();
    return complete(*connector, std::move(server));
}

void MemoryReactor::failOnce(const Failure& reason) { oldestAttempt("failOnce")->fail(reason); }

void MemoryReactor::setSegmentation(const Segmentation& segmentation) {
    segmentation_ = segmentation;
    for (const auto& pump : pumps_) pump->setSegmentation(segmentation);
}

std::vector<std::string> MemoryReactor::leftBehind() const {
    std::vector<std::string> left;
    for (const DelayedCall& call : getDelayedCalls()) {
        if (!call.active()) continue;
        const auto rest = std::chrono::duration<double>(call.getTime() - seconds()).count();
        left.push_back(fmt::format("a timer that is due in {:.3f} s", rest));
    }
    if (clock_->turn().busy()) left.emplace_back("calls posted to the next turn");
    {
        const std::lock_guard lock(postedMutex_);
        if (!posted_.empty()) left.push_back(fmt::format("{} calls by callFromThread", posted_.size()));
    }
    for (const auto& port : ports) {
        if (port->listening()) left.push_back("a port that listens at " + port->getHost().str());
        if (port->connections() != 0)
            left.push_back(fmt::format("{} connections accepted at {}", port->connections(), port->getHost().str()));
    }
    for (const auto& connector : connectors) {
        const std::string where = connector->getDestination().str();
        if (connector->state() == Connector::State::connecting) left.push_back("an attempt to connect to " + where);
        if (connector->state() == Connector::State::connected) left.push_back("a connection to " + where);
    }
    for (const Watch* const watch : watches_) {
        if (watch->reading || watch->writing)
            left.push_back(fmt::format("interest in descriptor {}", watch->descriptor));
    }
    return left;
}

// Raising.

RaisingMemoryReactor::RaisingMemoryReactor(std::optional<Failure> listenException,
                                           std::optional<Failure> connectException)
    : listenException_(std::move(listenException)), connectException_(std::move(connectException)) {}

void RaisingMemoryReactor::beforeListen() {
    if (listenException_) listenException_->raise();
}

void RaisingMemoryReactor::beforeConnect() {
    if (connectException_) connectException_->raise();
}

}  // namespace torsion::testing
