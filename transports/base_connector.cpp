#include <torsion/transports/base_connector.hpp>

#include <sys/socket.h>

#include <cerrno>

#include <torsion/core/log.hpp>

namespace torsion {

BaseConnector::BaseConnector(Reactor& reactor, std::shared_ptr<ClientFactory> factory, Duration timeout,
                             const char* caller)
    : reactor_(reactor), factory_(std::move(factory)), timeout_(timeout) {
    if (!factory_) throw ValueError(std::string(caller) + " needs a factory");
    if (timeout < Duration::zero())
        throw ValueError(std::string(caller) + ": the timeout of a connection attempt must not be negative");
}

BaseConnector::~BaseConnector() = default;

void BaseConnector::connect() {
    if (state_ != State::disconnected)
        throw RuntimeError("can't connect in this state: connecting or connected already");
    watchNothing();
    if (!factoryStarted_) {
        factory_->doStart();
        factoryStarted_ = true;
    }
    state_ = State::connecting;
    ++attempt_;
    timer_ = reactor_.callLater(timeout_, [self = self()] { self->failed(failureOf<TimeoutError>()); });
    const unsigned attempt = attempt_;
    try {
        factory_->startedConnecting(*this);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in startedConnecting of " + factory_->logPrefix());
        if (state_ == State::connecting && attempt == attempt_) failedLater(failure);
        return;
    }
    if (state_ == State::connecting && attempt == attempt_) begin();
}

void BaseConnector::connectTo(const Address& address, const Address& bindAddress) {
    peer_ = address;
    socket_ = Socket::stream(address);
    if (!socket_) {
        failedLater(ConnectError(errno, "no socket for " + where()));
        return;
    }
    if (bindAddress.kind() != Address::Kind::none) {
        socket_.setFlag(SOL_SOCKET, SO_REUSEADDR, true);
        if (const int error = socket_.bind(bindAddress)) {
            failedLater(ConnectBindError(bindAddress.str() + ": " + std::generic_category().message(error)));
            return;
        }
    }
    sockaddr_storage storage{};
    const socklen_t length = address.toSockaddr(&storage);
    const int result = ::connect(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&storage), length);
    if (result != 0 && errno != EINPROGRESS && errno != EINTR) {
        refused(errno);
        return;
    }
    // Also if it is done already: the result never comes from inside the reactor's method.
    watch_.reset();
    watch_ = reactor_.watch(socket_.descriptor(), *this);
    watch_->setWriting(true);
}

void BaseConnector::writable() {
    if (state_ != State::connecting) return;
    if (const int error = socket_.pendingError()) {
        failed(connectFailure(error, where()));
    } else {
        connected();
    }
}

void BaseConnector::connected() {
    const std::shared_ptr<BaseConnector> holder = self();  // until here the timer held us, from now on the connection
    if (timer_.active()) timer_.cancel();
    state_ = State::connected;  // buildProtocol may ask, or disconnect
    std::shared_ptr<Protocol> protocol;
    try {
        protocol = factory_->build(peer_);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in buildProtocol of " + factory_->logPrefix());
        state_ = State::connecting;
        failed(failure);
        return;
    }
    if (!protocol || !watch_) {
        // The factory refuses, or has disconnected: it is told of a connection that is over (TR-15).
        watchNothing();
        socket_.close();
        reactor_.turn().later([holder] { holder->lost(failureOf<ConnectionDone>()); });
        return;
    }
    watch_.reset();
    const auto connection =
        std::make_shared<tcp::Connection>(reactor_, std::move(socket_), tcp::Connection::Side::client, peer_);
    connection_ = connection;
    const std::optional<Failure> raised =
        connection->open(protocol, [holder](const Failure& reason) { holder->lost(reason); });
    factory_->protocolConnected(protocol, raised ? &*raised : nullptr);
}

void BaseConnector::lost(const Failure& reason) {
    if (state_ != State::connected) return;
    watch_.reset();
    state_ = State::disconnected;
    connection_.reset();
    const std::shared_ptr<Connector> keep = shared_from_this();
    try {
        factory_->clientConnectionLost(*this, reason);
    } catch (...) {
        log::err(Failure::current(), "in clientConnectionLost");
    }
    ended();
    reactor_.turn().deferDeletion(keep);
}

void BaseConnector::failed(const Failure& reason) {
    if (state_ != State::connecting) return;
    const std::shared_ptr<Connector> keep = shared_from_this();
    cleanUp();
    state_ = State::disconnected;
    try {
        factory_->clientConnectionFailed(*this, reason);
    } catch (...) {
        log::err(Failure::current(), "in clientConnectionFailed");
    }
    ended();
    reactor_.turn().deferDeletion(keep);
}

void BaseConnector::failedLater(const Failure& reason) {
    reactor_.turn().later([self = self(), attempt = attempt_, reason] {
        if (self->attempt_ == attempt) self->failed(reason);
    });
}

/// The factory is done with unless it has begun a new attempt from its callback.
void BaseConnector::ended() {
    if (state_ != State::disconnected || !factoryStarted_) return;
    factoryStarted_ = false;
    try {
        factory_->doStop();
    } catch (...) {
        log::err(Failure::current(), "in stopFactory of " + factory_->logPrefix());
    }
}

/// For the time without a socket: so the reactor tells us of its end then, too.
void BaseConnector::watchNothing() {
    watch_.reset();
    watch_ = reactor_.watch(-1, *this);
}

void BaseConnector::cleanUp() {
    if (timer_.active()) timer_.cancel();
    ++attempt_;  // what was posted for it, or is told of its cancellation, is not for us any more
    stopBeginning();
    watch_.reset();
    socket_.close();
}

void BaseConnector::disconnect() {
    if (state_ == State::connecting) {
        stopConnecting();
    } else if (state_ == State::connected) {
        if (const std::shared_ptr<tcp::Connection> connection = connection_.lock()) {
            connection->loseConnection();
        } else {
            watch_.reset();  // from inside buildProtocol: see connected()
        }
    }
}

void BaseConnector::stopConnecting() {
    if (state_ != State::connecting) throw NotConnectingError();
    const std::shared_ptr<BaseConnector> holder = self();
    cleanUp();
    watchNothing();
    // The factory hears of it in a later turn, as of every other result.
    timer_ = reactor_.callLater(Duration::zero(), [holder] { holder->failed(failureOf<UserError>()); });
}

void BaseConnector::reactorGone(const Failure& reason) {
    failed(reason);
    lost(reason);  // if the factory refused, and was not told yet
}

}  // namespace torsion
