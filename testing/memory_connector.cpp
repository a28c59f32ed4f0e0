#include <torsion/testing/memory_connector.hpp>

#include <algorithm>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

namespace torsion::testing {

namespace {

/// makeConnection, with what it throws.
std::optional<Failure> connectTo(const std::shared_ptr<StringTransportWithDisconnection>& transport,
                                 const std::shared_ptr<Protocol>& protocol) {
    transport->setProtocol(protocol);
    try {
        protocol->makeConnection(transport);
        return std::nullopt;
    } catch (...) {
        const Failure raised = Failure::current();
        log::err(raised, "in connectionMade of an in-memory connection");
        transport->failConnection(raised);
        return raised;
    }
}

}  // namespace

// Connectors.

MemoryConnector::MemoryConnector(std::shared_ptr<task::Clock> clock, Address destination,
                                 std::shared_ptr<ClientFactory> factory, Duration timeout)
    : clock_(std::move(clock)), destination_(std::move(destination)), factory_(std::move(factory)), timeout_(timeout) {
    if (!factory_) throw ValueError("a connection attempt needs a factory");
    if (timeout < Duration::zero()) throw ValueError("the timeout of a connection attempt must not be negative");
}

MemoryConnector::~MemoryConnector() {
    if (protocol_) protocol_->deliverConnectionLost(failureOf<ConnectionLost>());
}

void MemoryConnector::connect() {
    if (state_ != State::disconnected)
        throw RuntimeError("can't connect in this state: connecting or connected already");
    if (!factoryStarted_) factory_->doStart();
    factoryStarted_ = true;
    state_ = State::connecting;
    doomed_ = false;
    const int attempt = ++attempts_;
    const auto weak = std::weak_ptr<Connector>(weak_from_this());
    timer_ = clock_->callLater(timeout_, [this, weak] {
        if (const auto self = weak.lock()) failed(failureOf<TimeoutError>());
    });
    try {
        factory_->startedConnecting(*this);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in startedConnecting of " + factory_->logPrefix());
        if (attempt != attempts_ || !pending()) return;  // it has ended the attempt before it threw
        doomed_ = true;
        clock_->turn().later([this, weak, attempt, failure] {
            if (const auto self = weak.lock(); self && attempt == attempts_) failed(failure);
        });
    }
}

void MemoryConnector::disconnect() {
    if (state_ == State::connecting) {
        stopConnecting();
    } else if (state_ == State::connected && protocol_) {
        protocol_->transport().loseConnection();
    }
}

void MemoryConnector::stopConnecting() {
    if (state_ != State::connecting) throw NotConnectingError();
    ++stops_;
    doomed_ = true;
    if (timer_.active()) timer_.cancel();
    // The factory hears of it in a later turn, as from a socket.
    timer_ = clock_->callLater(Duration::zero(), [this, weak = weak_from_this()] {
        if (const auto self = weak.lock()) failed(failureOf<UserError>());
    });
}

void MemoryConnector::demandConnecting(const char* caller) const {
    if (state_ == State::connecting) return;
    throw RuntimeError(std::string("MemoryConnector::") + caller + ": no attempt to connect to " + destination_.str() +
                       " is under way");
}

std::shared_ptr<Protocol> MemoryConnector::begin(const char* caller) {
    demandConnecting(caller);
    if (timer_.active()) timer_.cancel();
    state_ = State::connected;  // buildProtocol may ask
    try {
        protocol_ = factory_->build(destination_);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in buildProtocol of " + factory_->logPrefix());
        state_ = State::connecting;
        failed(failure);
        return nullptr;
    }
    if (!protocol_) {
        clock_->turn().later([this, weak = weak_from_this()] {
            if (const auto self = weak.lock()) lost(failureOf<ConnectionDone>());  // TR-15
        });
    }
    return protocol_;
}

void MemoryConnector::established(const std::optional<Failure>& raised) {
    factory_->protocolConnected(protocol_, raised ? &*raised : nullptr);
}

std::shared_ptr<StringTransportWithDisconnection> MemoryConnector::succeed() {
    const auto keep = shared_from_this();
    const std::shared_ptr<Protocol> protocol = begin("succeed");
    if (!protocol) return nullptr;
    const auto transport = std::make_shared<StringTransportWithDisconnection>(*clock_);
    transport->setPeer(destination_);
    transport->setLossHook([this, weak = weak_from_this()](const Failure& reason) {
        if (const auto self = weak.lock()) lost(reason);
    });
    breakConnection_ = [weak = std::weak_ptr(transport)](const Failure& reason) {
        if (const auto alive = weak.lock()) alive->lose(reason);
    };
    established(connectTo(transport, protocol));
    return transport;
}

std::shared_ptr<IOPump> MemoryConnector::succeedWith(std::shared_ptr<Protocol> server) {
    const auto keep = shared_from_this();
    const std::shared_ptr<Protocol> protocol = begin("succeedWith");
    if (!protocol) return nullptr;
    auto pump = std::make_shared<IOPump>(protocol, std::move(server), clock_);
    pump->client().setLossHook([this, weak = weak_from_this()](const Failure& reason) {
        if (const auto self = weak.lock()) lost(reason);
    });
    breakConnection_ = [weak = std::weak_ptr(pump)](const Failure& reason) {
        if (const auto alive = weak.lock()) alive->breakConnection(reason);
    };
    const std::optional<Failure> raised = pump->client().loss();
    established(raised);
    return pump;
}

void MemoryConnector::fail(const Failure& reason) {
    demandConnecting("fail");
    failed(reason);
}

void MemoryConnector::lose(const Failure& reason) {
    if (!protocol_) throw RuntimeError("MemoryConnector::lose: there is no connection to " + destination_.str());
    breakConnection_(reason);
}

void MemoryConnector::failed(const Failure& reason) {
    if (state_ != State::connecting) return;
    const auto keep = shared_from_this();
    if (timer_.active()) timer_.cancel();
    state_ = State::disconnected;
    try {
        factory_->clientConnectionFailed(*this, reason);
    } catch (...) {
        log::err(Failure::current(), "in clientConnectionFailed");
    }
    ended();
}

void MemoryConnector::lost(const Failure& reason) {
    if (state_ != State::connected) return;
    const auto keep = shared_from_this();
    state_ = State::disconnected;
    protocol_.reset();
    breakConnection_ = nullptr;
    try {
        factory_->clientConnectionLost(*this, reason);
    } catch (...) {
        log::err(Failure::current(), "in clientConnectionLost");
    }
    ended();
}

/// The factory is done with, unless it has begun a new attempt from its callback.
void MemoryConnector::ended() {
    if (state_ != State::disconnected || !std::exchange(factoryStarted_, false)) return;
    try {
        factory_->doStop();
    } catch (...) {
        log::err(Failure::current(), "in stopFactory of " + factory_->logPrefix());
    }
}

void MemoryConnector::reactorGone(const Failure& reason) {
    failed(reason);
    if (state_ == State::connected && breakConnection_) breakConnection_(reason);
}

// Ports.

MemoryPort::MemoryPort(std::shared_ptr<task::Clock> clock, Address host, std::shared_ptr<Factory> factory)
    : clock_(std::move(clock)), host_(std::move(host)), factory_(std::move(factory)) {
    if (!factory_) throw ValueError("a port needs a factory");
}

MemoryPort::~MemoryPort() {
    for (const Accepted& one : std::exchange(*accepted_, {}))
        one.protocol->deliverConnectionLost(failureOf<ConnectionLost>());
}

void MemoryPort::startListening() {
    if (std::exchange(listening_, true)) return;
    factory_->doStart();
}

Deferred<void> MemoryPort::stopListening() {
    if (!std::exchange(listening_, false)) return defer::succeed();
    Deferred<void> stopped;
    clock_->turn().later([factory = factory_, stopped] {
        try {
            factory->doStop();
        } catch (...) {
            stopped.errback(Failure::current());
            return;
        }
        stopped.callback();
    });
    return stopped;
}

std::shared_ptr<Protocol> MemoryPort::build(const Address& peer) {
    if (!listening_) throw RuntimeError("MemoryPort: nobody listens at " + host_.str());
    try {
        return factory_->build(peer);
    } catch (...) {
        log::err(Failure::current(), "in buildProtocol of " + factory_->logPrefix());
        return nullptr;
    }
}

std::shared_ptr<StringTransportWithDisconnection> MemoryPort::accept(const Address& peer) {
    const std::shared_ptr<Protocol> protocol = build(peer);
    if (!protocol) return nullptr;
    const auto transport = std::make_shared<StringTransportWithDisconnection>(*clock_);
    transport->setHost(host_);
    transport->setPeer(peer);
    accepted_->push_back({transport, protocol});
    transport->setLossHook([accepted = std::weak_ptr(accepted_), raw = transport.get()](const Failure&) {
        if (const auto all = accepted.lock())
            std::erase_if(*all, [raw](const Accepted& one) { return one.transport.get() == raw; });
    });
    static_cast<void>(connectTo(transport, protocol));
    return transport;
}

void MemoryPort::addAcceptedTo(std::vector<std::shared_ptr<Protocol>>& protocols) const {
    for (const Accepted& one : *accepted_) protocols.push_back(one.protocol);
}

void MemoryPort::reactorGone(const Failure& reason) {
    for (const Accepted& one : *accepted_) one.transport->lose(reason);
    if (!std::exchange(listening_, false)) return;
    try {
        factory_->doStop();
    } catch (...) {
        log::err(Failure::current(), "in stopFactory of " + factory_->logPrefix());
    }
}

}  // namespace torsion::testing
