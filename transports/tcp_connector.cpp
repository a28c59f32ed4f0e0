#include <torsion/transports/tcp_connector.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include <torsion/core/defer_errors.hpp>
#include <torsion/core/log.hpp>

namespace torsion::tcp {

Connector::Connector(Reactor& reactor, const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                     Duration timeout, const Address& bindAddress)
    : reactor_(reactor),
      host_(host),
      port_(port),
      factory_(std::move(factory)),
      timeout_(timeout),
      bindAddress_(bindAddress) {
    if (port < 0 || port > 65535) throw ValueError("A port is a number from 0 to 65535, not " + std::to_string(port));
    if (!factory_) throw ValueError("connectTCP needs a factory");
}

Connector::~Connector() = default;

Address Connector::getDestination() const {
    const auto port = static_cast<std::uint16_t>(port_);
    if (isIPAddress(host_) || isIPv6Address(host_)) return ipAddress(host_, port);
    return HostnameAddress(host_, port);
}

void Connector::connect() {
    if (state_ != State::disconnected)
        throw RuntimeError("can't connect in this state: connecting or connected already");
    watchNothing();
    if (!factoryStarted_) {
        factory_->doStart();
        factoryStarted_ = true;
    }
    state_ = State::connecting;
    ++attempt_;
    timer_ = reactor_.callLater(timeout_, [self = shared_from_this()] { self->failed(failureOf<TimeoutError>()); });
    const unsigned attempt = attempt_;
    try {
        factory_->startedConnecting(*this);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in startedConnecting of " + factory_->logPrefix());
        if (state_ == State::connecting && attempt == attempt_) failedLater(failure);
        return;
    }
    if (state_ == State::connecting && attempt == attempt_) resolve();
}

void Connector::resolve() {
    const auto port = static_cast<std::uint16_t>(port_);
    if (isIPAddress(host_) || isIPv6Address(host_)) {
        connectTo(ipAddress(host_, port));
        return;
    }
    resolving_ = true;
    const std::weak_ptr<Connector> self = weak_from_this();
    const unsigned attempt = attempt_;
    const auto current = [self, attempt] {
        const std::shared_ptr<Connector> alive = self.lock();
        return alive && alive->attempt_ == attempt && alive->state_ == State::connecting ? alive : nullptr;
    };
    resolution_ = reactor_.nameResolver()
                      .resolveHostName(host_, port)
                      .addCallbacks(
                          [current](const std::vector<Address>& addresses) {
                              const std::shared_ptr<Connector> alive = current();
                              if (!alive) return;
                              alive->resolving_ = false;
                              if (addresses.empty()) {
                                  alive->failedLater(DNSLookupError(alive->host_ + ": it has no address"));
                                  return;
                              }
                              // Like Twisted, which asks for IPv4 only; HostnameEndpoint is the one that tries them
                              // all.
                              const auto ipv4 = std::find_if(
                                  addresses.begin(), addresses.end(),
                                  [](const Address& address) { return address.kind() == Address::Kind::ipv4; });
                              alive->connectTo(ipv4 != addresses.end() ? *ipv4 : addresses.front());
                          },
                          [current](const Failure& failure) {
                              const std::shared_ptr<Connector> alive = current();
                              if (!alive) return;
                              alive->resolving_ = false;
                              alive->failedLater(failure);
                          });
}

std::string Connector::where() const {
    const std::string host = peer_.host();
    return (peer_.kind() == Address::Kind::ipv6 ? '[' + host + ']' : host) + ':' + std::to_string(peer_.port());
}

void Connector::connectTo(const Address& address) {
    peer_ = address;
    socket_ = Socket::stream(address);
    if (!socket_) {
        failedLater(ConnectError(errno, "no socket for " + where()));
        return;
    }
    if (bindAddress_.kind() != Address::Kind::none) {
        socket_.setFlag(SOL_SOCKET, SO_REUSEADDR, true);
        if (const int error = socket_.bind(bindAddress_)) {
            failedLater(ConnectBindError(bindAddress_.str() + ": " + std::generic_category().message(error)));
            return;
        }
    }
    sockaddr_storage storage{};
    const socklen_t length = address.toSockaddr(&storage);
    const int result = ::connect(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&storage), length);
    if (result != 0 && errno != EINPROGRESS && errno != EINTR) {
        failedLater(connectFailure(errno, where()));
        return;
    }
    // Also if it is done already: the result never comes from inside connectTCP.
    watch_.reset();
    watch_ = reactor_.watch(socket_.descriptor(), *this);
    watch_->setWriting(true);
}

void Connector::writable() {
    if (state_ != State::connecting) return;
    if (const int error = socket_.pendingError()) {
        failed(connectFailure(error, where()));
    } else {
        connected();
    }
}

void Connector::connected() {
    const std::shared_ptr<Connector> self =
        shared_from_this();  // until here the timer held us, from now on the connection
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
        reactor_.turn().later([self] { self->lost(failureOf<ConnectionDone>()); });
        return;
    }
    watch_.reset();
    const auto connection = std::make_shared<Connection>(reactor_, std::move(socket_), Connection::Side::client, peer_);
    connection_ = connection;
    const std::optional<Failure> raised =
        connection->open(protocol, [self](const Failure& reason) { self->lost(reason); });
    factory_->protocolConnected(protocol, raised ? &*raised : nullptr);
}

void Connector::lost(const Failure& reason) {
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

void Connector::failed(const Failure& reason) {
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

/// Not from inside connectTCP.
void Connector::failedLater(const Failure& reason) {
    reactor_.turn().later([self = shared_from_this(), attempt = attempt_, reason] {
        if (self->attempt_ == attempt) self->failed(reason);
    });
}

/// The factory is done with unless it has begun a new attempt from its callback.
void Connector::ended() {
    if (state_ != State::disconnected || !factoryStarted_) return;
    factoryStarted_ = false;
    try {
        factory_->doStop();
    } catch (...) {
        log::err(Failure::current(), "in stopFactory of " + factory_->logPrefix());
    }
}

/// For the time without a socket: so the reactor tells us of its end then, too.
void Connector::watchNothing() {
    watch_.reset();
    watch_ = reactor_.watch(-1, *this);
}

void Connector::cleanUp() {
    if (timer_.active()) timer_.cancel();
    if (std::exchange(resolving_, false)) {
        ++attempt_;  // what the cancellation reports is not for us any more
        resolution_.cancel();
    }
    watch_.reset();
    socket_.close();
}

void Connector::disconnect() {
    if (state_ == State::connecting) {
        stopConnecting();
    } else if (state_ == State::connected) {
        if (const std::shared_ptr<Connection> connection = connection_.lock()) {
            connection->loseConnection();
        } else {
            watch_.reset();  // from inside buildProtocol: see connected()
        }
    }
}

void Connector::stopConnecting() {
    if (state_ != State::connecting) throw NotConnectingError();
    const std::shared_ptr<Connector> self = shared_from_this();
    cleanUp();
    watchNothing();
    // The factory hears of it in a later turn, as of every other result.
    timer_ = reactor_.callLater(Duration::zero(), [self] { self->failed(failureOf<UserError>()); });
}

void Connector::reactorGone(const Failure& reason) {
    failed(reason);
    lost(reason);  // if the factory refused, and was not told yet
}

}  // namespace torsion::tcp
