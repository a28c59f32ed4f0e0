#include <torsion/transports/tcp_connection.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include <torsion/core/log.hpp>
#include <torsion/core/type_name.hpp>
#include <torsion/protocols/transport_proxy.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>
#include <torsion/transports/tcp_connection_rare.hpp>

namespace torsion::tcp {

namespace {

/// At most this leaves in one turn, so that one fast reader does not keep the others waiting.
constexpr std::size_t kSendBudget = 1U << 20;
constexpr std::size_t kMostPieces = 64;

std::string nameOf(const Protocol* protocol) {
    return protocol != nullptr ? typeName(typeid(*protocol)) : "a protocol";
}

void stopQuietly(Producer& producer) {
    try {
        producer.stopProducing();
    } catch (...) {
        log::err(Failure::current(), "in stopProducing");
    }
}

Failure lost(int error) { return ConnectionLost(std::generic_category().message(error)); }

}  // namespace

Connection::Rare& Connection::rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
}

/// The socket itself as a transport: what TLS writes to after startTLS. The connection owns the TLS layer, which owns
/// this; the connection outlives both.
class Connection::Raw final : public Transport, public TCPTransport {
public:
    explicit Raw(Connection& connection) noexcept : connection_(connection) {}

    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override {
        connection_.rawRegisterProducer(std::move(producer), streaming);
    }
    void unregisterProducer() override { connection_.rawUnregisterProducer(); }
    void pauseProducing() override { connection_.rawPauseProducing(); }
    void resumeProducing() override { connection_.rawResumeProducing(); }
    void stopProducing() override { connection_.rawLoseConnection(); }
    void loseConnection() override { connection_.rawLoseConnection(); }
    void abortConnection() override { connection_.rawAbortConnection(); }
    void failConnection(const Failure& reason) override { connection_.rawFailConnection(reason); }
    Address getPeer() const override { return connection_.getPeer(); }
    Address getHost() const override { return connection_.getHost(); }
    bool disconnecting() const override { return connection_.disconnecting_; }
    Turn& turn() override { return connection_.turn_; }
    Transport* lower() noexcept override { return nullptr; }
    void loseWriteConnection() override { connection_.rawLoseWriteConnection(); }
    bool getTcpNoDelay() const override { return connection_.getTcpNoDelay(); }
    void setTcpNoDelay(bool enabled) override { connection_.setTcpNoDelay(enabled); }
    bool getTcpKeepAlive() const override { return connection_.getTcpKeepAlive(); }
    void setTcpKeepAlive(bool enabled) override { connection_.setTcpKeepAlive(enabled); }
    void setFinishWriting(bool enabled) override { connection_.setFinishWriting(enabled); }
    void setOutputLimit(std::size_t octets) override { connection_.outputLimit_ = octets; }
    void setCloseTimeout(Duration timeout) override { connection_.setCloseTimeout(timeout); }
    std::size_t bufferedBytes() const override { return connection_.output_.size(); }

protected:
    void writeView(BytesView data) override { connection_.rawWrite(data); }
    void writeOwned(Bytes&& data) override { connection_.rawQueue(std::move(data)); }

private:
    Connection& connection_;
};

Connection::Connection(Reactor& reactor, Socket socket, Side side, const Address& peer)
    : turn_(reactor.turn()), reactor_(reactor), output_(turn_), peer_(peer), socket_(std::move(socket)), side_(side) {}

Connection::~Connection() = default;

/// Calls into the application: what it throws is logged, ends this connection, and is the reason (TR-13).
template <class Call>
void Connection::fenced(Call&& call) {
    try {
        call();
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in a callback of " + nameOf(protocol_.get()));
        inCallback_ = false;
        end(failure);
    }
}

std::optional<Failure> Connection::open(std::shared_ptr<Protocol> protocol, LossHook onLoss) {
    watch_ = reactor_.watch(socket_.descriptor(), *this);  // first: it throws while the reactor is being destroyed
    protocol_ = std::move(protocol);
    if (onLoss) rare().onLoss = std::move(onLoss);
    self_ = shared_from_this();
    connected_ = true;
    ++(side_ == Side::server ? turn_.counters().connectionsAccepted : turn_.counters().connectionsMade);
    watch_->setReading(true);
    std::optional<Failure> raised;
    inCallback_ = true;
    try {
        protocol_->makeConnection(self_);
    } catch (...) {
        raised = Failure::current();
        log::err(*raised, "in connectionMade of " + nameOf(protocol_.get()));
    }
    inCallback_ = false;
    if (raised && connected_) {
        turn_.later([self = self_, failure = *raised] { self->end(failure); });
    } else {
        scheduleFlush();
    }
    return raised;
}

inline Protocol& Connection::receiver() noexcept {
    if (tls_ != nullptr) return *tls_;
    return *protocol_;
}

Producer* Connection::producer() const noexcept { return rare_ ? rare_->producer.get() : nullptr; }

std::shared_ptr<Producer> Connection::takeProducer() noexcept {
    return rare_ ? std::exchange(rare_->producer, nullptr) : nullptr;
}

void Connection::readable() {
    Turn& turn = turn_;
    turn.mark();
    const ssize_t got = ::recv(socket_.descriptor(), turn.readBuffer().data(), Turn::kReadSize, 0);
    if (got > 0) {
        const auto octets = static_cast<std::size_t>(got);
        turn.counters().bytesReceived += octets;
        inCallback_ = delivering_ = true;
        fenced([&] { receiver().dataReceived({turn.readBuffer().data(), octets}); });
        inCallback_ = delivering_ = false;
        flushIn(turn);
        output_.keep();
#ifndef NDEBUG
        std::memset(turn.readBuffer().data(), 0xDD, octets);  // so that a view kept too long is noticed
#endif
    } else if (got == 0) {
        peerClosed();
    } else if (errno != EAGAIN && errno != EINTR) {
        end(lost(errno));
    }
}

void Connection::peerClosed() {
    readEnded_ = true;
    watch_->setReading(false);  // level-triggered, EOF would be told again and again
    if (auto* protocol = receiver().provides<HalfCloseableProtocol>()) {
        inCallback_ = true;
        fenced([&] { protocol->readConnectionLost(); });
        inCallback_ = false;
        flush();
    } else if (finishWriting_ && !writeClosed_ && (!output_.empty() || producer() != nullptr)) {
        disconnecting_ = true;
        scheduleFlush();
    } else {
        end(failureOf<ConnectionDone>());
    }
}

void Connection::writable() {
    turn_.mark();
    flush();
}

void Connection::reactorGone(const Failure& reason) { end(reason); }

/// A half-close waits for a producer, and so takes what that still writes (TR-8).
bool Connection::waitsForProducer() const noexcept { return !writeClosed_ && producer() != nullptr; }

/// Whether @p data is part of what the callback that is running was given: it lasts until what that writes is flushed.
inline bool Connection::beingDelivered(BytesView data) const noexcept {
    const std::span<const char> buffer = turn_.readBuffer();
    return delivering_ && detail::liesWithin(data, {buffer.data(), buffer.size()});
}

/// What goes back as it came takes the short way: a flush follows the callback anyway, and a loan with nothing before
/// it is never so long that a producer would have to be told.
inline void Connection::rawWrite(BytesView data) {
    static_assert(Turn::kReadSize <= kHighWater);
    const bool open = connected_ && !aborted_ && !failed_ && !writeClosing_;
    if (!open || data.empty() || output_.size() > outputLimit_ || !beingDelivered(data)) {
        rawQueue(data);
    } else if (!output_.lendFirst(data)) {
        rawLendBehind(data);
    }
}

void Connection::rawLendBehind(BytesView data) {
    if (!output_.lendBehind(data)) {
        rawQueue(data);
    } else if (output_.size() > kHighWater) {
        tooMuchWaits();
    }
}

void Connection::rawQueue(BytesView data) { rawAppend(data); }

void Connection::rawQueue(Bytes&& data) { rawAppend(std::move(data)); }

template <class Data>
void Connection::rawAppend(Data&& data) {
    if (!takesWrites() || data.empty()) return;
    if (output_.size() > outputLimit_) return limitExceeded();
    output_.append(std::forward<Data>(data));
    if (!inCallback_) scheduleFlush();
    if (output_.size() > kHighWater) tooMuchWaits();
}

/// What a producer has to be told; apart, for it is rare and nearly all writes are small.
void Connection::tooMuchWaits() {
    if (producer() == nullptr || !streaming_) return;
    producerPaused_ = true;
    const std::shared_ptr<Producer> producer = rare_->producer;
    producer->pauseProducing();
}

void Connection::limitExceeded() {
    rawFailConnection(OutputLimitExceeded(std::to_string(output_.size()) + " octets wait, the limit is " +
                                          std::to_string(outputLimit_)));
    rawAbortConnection();
}

void Connection::writeView(BytesView data) {
    if (tls_) {
        tls_->write(data);
    } else {
        rawWrite(data);
    }
}

void Connection::writeOwned(Bytes&& data) {
    if (tls_) {
        tls_->write(std::move(data));
    } else {
        rawQueue(std::move(data));
    }
}

void Connection::scheduleFlush() {
    if (!connected_ || inCallback_) return;
    if (inFlush_) {
        // A producer that is resumed by the flush writes on a later turn, or it would never end.
        setWriting(true);
    } else {
        turn_.atEnd(*this, 0);
    }
}

/// One system call. @param offered is set to what it could have taken @return what it took, or -1 and errno
ssize_t Connection::sendPieces(std::size_t& offered) {
    std::array<iovec, kMostPieces> pieces;
    const std::size_t count = output_.peek(pieces);
    if (count == 1) {  // cheaper than a message of one piece
        offered = pieces[0].iov_len;
        return ::send(socket_.descriptor(), pieces[0].iov_base, offered, MSG_NOSIGNAL);
    }
    offered = 0;
    for (std::size_t i = 0; i < count; ++i) offered += pieces[i].iov_len;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    return ::sendmsg(socket_.descriptor(), &message, MSG_NOSIGNAL);  // unlike writev, it can leave SIGPIPE out
}

/// @return whether to go on
inline bool Connection::sendSome(Turn& turn, std::size_t& budget) {
    std::size_t offered = output_.loan().size();
    const ssize_t sent =
        offered != 0 ? ::send(socket_.descriptor(), output_.loan().data(), offered, MSG_NOSIGNAL) : sendPieces(offered);
    if (sent >= 0) {
        const std::size_t octets = static_cast<std::size_t>(sent);
        turn.counters().bytesSent += octets;
        output_.consume(octets);
        budget -= std::min(budget, octets);
        if (rare_ && rare_->stallTimer.active()) rare_->stallTimer.reset(rare_->closeTimeout);
        return octets == offered && budget > 0;  // what was not taken means that there is no room
    }
    if (errno == EINTR) return true;
    if (errno == EAGAIN) return false;
    end(lost(errno));
    return false;
}

void Connection::setWriting(bool wanted) {
    if (wanted == writing_) return;
    writing_ = wanted;
    watch_->setWriting(wanted);
}

void Connection::flush() { flushIn(turn_); }

void Connection::flushIn(Turn& turn) {
    if (!connected_ || aborted_) return;
    inFlush_ = true;
    const bool hadOutput = !output_.empty();
    if (hadOutput) {
        std::size_t budget = kSendBudget;
        while (sendSome(turn, budget) && !output_.empty()) {
        }
    }
    if (connected_) {
        setWriting(!output_.empty());
        if (rare_ || disconnecting_ || writeClosing_) flushed(hadOutput);
    }
    inFlush_ = false;
}

/// What follows from having sent: the producer goes on, and a close that waited for this happens.
/// @param hadOutput whether there was anything to send: a pull producer is asked once for each time the queue empties
/// (PC-2)
void Connection::flushed(bool hadOutput) {
    if (producer() != nullptr &&
        (streaming_ ? producerPaused_ && output_.size() <= kLowWater : hadOutput && output_.empty())) {
        producerPaused_ = false;
        const std::shared_ptr<Producer> producer = rare_->producer;
        fenced([&] { producer->resumeProducing(); });
        if (!connected_ || aborted_) return;
    }
    if (!output_.empty() || producer() != nullptr) {
        if (disconnecting_) watchStall();
        return;
    }
    if (disconnecting_) {
        end(failureOf<ConnectionDone>());
    } else if (writeClosing_ && !writeClosed_) {
        halfClosed();
    }
}

void Connection::halfClosed() {
    writeClosed_ = true;
    ::shutdown(socket_.descriptor(), SHUT_WR);
    if (auto* protocol = receiver().provides<HalfCloseableProtocol>()) {
        fenced([&] { protocol->writeConnectionLost(); });
    }
}

/// Every wait has a bound, also that of a closing connection for a peer that reads nothing.
void Connection::watchStall() {
    if (output_.empty() || rare().stallTimer.active()) return;
    rare_->stallTimer = turn_.clock().callLater(rare_->closeTimeout, [this] {
        socket_.resetOnClose();
        end(ConnectionLost("the peer took nothing of what was left to send"));
    });
}

void Connection::loseConnection() {
    if (tls_) {
        tls_->loseConnection();
    } else {
        rawLoseConnection();
    }
}

void Connection::rawLoseConnection() {
    if (!connected_ || disconnecting_) return;
    disconnecting_ = true;
    watch_->setReading(false);
    scheduleFlush();
}

void Connection::failConnection(const Failure& reason) {
    if (tls_) {
        tls_->failConnection(reason);
    } else {
        rawFailConnection(reason);
    }
}

void Connection::rawFailConnection(const Failure& reason) {
    if (!connected_ || failed_) return;
    failed_ = true;
    rare().failReason = reason;
    if (const std::shared_ptr<Producer> producer = takeProducer()) {
        stopQuietly(*producer);  // it must not hold up the end
    }
    disconnecting_ = true;
    watch_->setReading(false);
    scheduleFlush();
}

void Connection::abortConnection() {
    if (tls_) {
        tls_->abortConnection();  // so that it delivers nothing more of what it has
    } else {
        rawAbortConnection();
    }
}

void Connection::rawAbortConnection() {
    if (!connected_ || aborted_) return;
    aborted_ = true;
    disconnecting_ = true;
    output_.clear();
    watch_->setReading(false);
    setWriting(false);
    socket_.resetOnClose();
    turn_.later([self = self_] { self->end(failureOf<ConnectionAborted>()); });
}

void Connection::loseWriteConnection() {
    if (tls_) {
        tls_->loseWriteConnection();
    } else {
        rawLoseWriteConnection();
    }
}

void Connection::rawLoseWriteConnection() {
    if (!connected_ || writeClosing_ || disconnecting_) return;
    writeClosing_ = true;
    scheduleFlush();
}

/// The end, once: producer, socket, protocol, and whoever made this connection, in this order (CL-2).
void Connection::end(const Failure& proposed) {
    if (!connected_) return;
    connected_ = false;
    ++turn_.counters().connectionsLost;
    const Failure reason = failed_ ? *rare_->failReason : proposed;
    disconnecting_ = true;
    if (rare_ && rare_->stallTimer.active()) rare_->stallTimer.cancel();
    if (const std::shared_ptr<Producer> producer = takeProducer()) {
        stopQuietly(*producer);
    }
    watch_.reset();
    askForHost();  // readable ever after (TR-16)
    // Octets that nobody has read would make close() send a reset in place of a FIN (TR-6), and to close a descriptor
    // that has a duplicate ends nothing. Behind the peer's FIN there are none, and a system call is saved.
    if (!aborted_ && (!readEnded_ || descriptorShared_)) ::shutdown(socket_.descriptor(), SHUT_RDWR);
    socket_.close();
    output_.clear();
    const std::shared_ptr<Protocol> protocol = std::exchange(protocol_, nullptr);
    // Through TLS, if it is on: it knows better why. Until then it is asked for the peer's certificate (TLS-21).
    if (tls_ != nullptr) {
        tls_->deliverConnectionLost(reason);
        tls_ = nullptr;
        turn_.deferDeletion(std::move(rare_->tls));
    } else {
        protocol->deliverConnectionLost(reason);
    }
    turn_.deferDeletion(protocol);
    if (rare_ && rare_->onLoss) std::exchange(rare_->onLoss, nullptr)(reason);
    turn_.deferDeletion(std::move(self_));
}

void Connection::askForHost() const {
    if (!host_ && socket_) host_ = std::make_shared<const Address>(socket_.localAddress());
}

Address Connection::getHost() const {
    askForHost();
    return host_ ? *host_ : Address();
}

const std::type_info& Connection::servedType() const noexcept {
    const Protocol* const protocol = protocol_.get();
    return protocol != nullptr ? typeid(*protocol) : typeid(*this);
}

bool Connection::disconnecting() const { return disconnecting_ || (tls_ && tls_->disconnecting()); }

Transport* Connection::lower() noexcept { return tls_; }

bool Connection::getTcpNoDelay() const { return socket_ && socket_.flag(IPPROTO_TCP, TCP_NODELAY); }

void Connection::setTcpNoDelay(bool enabled) {
    if (socket_) socket_.setFlag(IPPROTO_TCP, TCP_NODELAY, enabled);
}

bool Connection::getTcpKeepAlive() const { return socket_ && socket_.flag(SOL_SOCKET, SO_KEEPALIVE); }

void Connection::setTcpKeepAlive(bool enabled) {
    if (socket_) socket_.setFlag(SOL_SOCKET, SO_KEEPALIVE, enabled);
}

void Connection::setOutputLimit(std::size_t octets) {
    if (tls_) {
        tls_->setOutputLimit(octets);
    } else {
        outputLimit_ = octets;
    }
}

void Connection::setCloseTimeout(Duration timeout) {
    if (timeout <= Duration::zero()) throw ValueError("the close timeout must be positive");
    rare().closeTimeout = timeout;
}

std::size_t Connection::bufferedBytes() const { return tls_ ? tls_->bufferedBytes() : output_.size(); }

void Connection::startTLS(const ssl::ContextFactory& options, TLSRole role, Residue residue) {
    if (!connected_ || disconnecting_) return;
    if (tls_) throw RuntimeError("TLS is on already: to put TLS inside TLS, wrap the factory in an OnionFactory");
    const bool isClient = role == TLSRole::normal ? side_ == Side::client : role == TLSRole::client;
    // Made first: a recipe for the other role throws, and then nothing has changed.
    auto tls =
        std::make_shared<TLSMemoryBIOProtocol>(options, isClient ? ssl::Role::client : ssl::Role::server, protocol_);
    const Bytes rest = protocol_->takeUnprocessed();
    if (!rest.empty() && residue == Residue::fail) {
        rawFailConnection(PlaintextAfterStartTLS(std::to_string(rest.size()) + " octets"));
        return;
    }
    const std::shared_ptr<Producer> producer = takeProducer();
    rare().tls = tls;
    tls_ = tls.get();
    tls_->setOutputLimit(outputLimit_);
    tls_->makeConnection(std::make_shared<Raw>(*this));
    if (producer) tls_->registerProducer(producer, streaming_);  // moved across, without a stop (PC-12)
    if (!rest.empty()) tls_->dataReceived(rest);
}

}  // namespace torsion::tcp
