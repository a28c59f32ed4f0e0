#include <torsion/tls/tls_memory_bio_protocol.hpp>

#include <limits>
#include <typeinfo>

#include <torsion/core/log.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/producer_membrane.hpp>

namespace torsion {

namespace {

/// The most plaintext that fits in one record (RFC 8446, 5.1).
constexpr std::size_t kRecord = 16384;

ssl::SessionOptions sessionOptions(const std::shared_ptr<WrappingFactory>& factory) {
    ssl::SessionOptions options;
    if (factory) options.acceptableProtocols = factory->acceptableProtocols();
    return options;
}

/// Whether @p reason only says that the socket failed: neither an abort nor anything else that somebody decided.
bool isSocketError(const Failure& reason) {
    const auto* lost = reason.value<ConnectionLost>();
    return lost != nullptr && typeid(*lost) == typeid(ConnectionLost) && !(reason == failureOf<ConnectionLost>());
}

}  // namespace

TLSMemoryBIOProtocol::TLSMemoryBIOProtocol(std::shared_ptr<WrappingFactory> factory, const ssl::ContextFactory& options,
                                           ssl::Role role, std::shared_ptr<Protocol> wrappedProtocol)
    : ProtocolWrapper(factory, std::move(wrappedProtocol)),
      options_(options.share()),
      engine_(options_->newSession(role, sessionOptions(factory)), *this),
      connectWrapped_(true) {}

TLSMemoryBIOProtocol::TLSMemoryBIOProtocol(const ssl::ContextFactory& options, ssl::Role role,
                                           std::shared_ptr<Protocol> wrappedProtocol)
    : ProtocolWrapper(nullptr, std::move(wrappedProtocol)),
      options_(options.share()),
      engine_(options_->newSession(role, {}), *this),
      connectWrapped_(false) {}

TLSMemoryBIOProtocol::~TLSMemoryBIOProtocol() {
    if (timeout_.active()) timeout_.cancel();
}

void TLSMemoryBIOProtocol::makeConnection(std::shared_ptr<Transport> below) {
    setTransport(std::move(below));
    setConnected();
    for (Transport* layer = &transport(); layer != nullptr; layer = layer->lower()) ++depth_;
    below_ = transport().query<TCPTransport>();
    // The cap is kept here: what one write adds does not count, and below it arrives as many.
    if (below_ != nullptr) below_->setOutputLimit(std::numeric_limits<std::size_t>::max());
    if (connectWrapped_) {
        if (wrappingFactory()) wrappingFactory()->registerProtocol(*this);
        connectionMade();
        if (!alive()) return;  // aborted: no hello goes out (TLS-2)
    }
    expect(options_->handshakeTimeout(), [this] {
        fail(TLSHandshakeTimeout("the limit is " +
                                 std::to_string(options_->handshakeTimeout() / std::chrono::milliseconds(1)) + " ms"));
    });
    process({});
}

void TLSMemoryBIOProtocol::expect(Duration timeout, Function<void()> otherwise) {
    if (timeout_.active()) timeout_.cancel();
    timeout_ = turn().clock().callLater(timeout, std::move(otherwise));
}

// Input.

void TLSMemoryBIOProtocol::dataReceived(BytesView data) {
    if (!alive()) return;
    if (paused_ || !held_.empty()) {
        held_.append(data);  // the layer below is paused, too: this is the rest of one read
        return;
    }
    process(data);
}

void TLSMemoryBIOProtocol::process(BytesView input) {
    struct Processing {
        explicit Processing(TLSMemoryBIOProtocol& layer) noexcept : layer_(layer), before_(layer.processing_) {
            layer_.processing_ = true;
        }
        ~Processing() {
            layer_.processing_ = before_;
            layer_.engine_.release();
            // Also when the application threw: what was gathered belongs to the end of the turn then.
            if (layer_.alive() && !layer_.pending_.empty()) layer_.schedule();
        }
        TLSMemoryBIOProtocol& layer_;
        bool before_;
    } processing(*this);

    engine_.feed(input);
    if (!handshakeDone_) {
        switch (engine_.handshake()) {
            case ssl::Engine::Outcome::ok: handshakeFinished(); break;
            case ssl::Engine::Outcome::wantsInput: break;
            case ssl::Engine::Outcome::closed: fail(TLSTruncated("the peer closed during the handshake")); break;
            case ssl::Engine::Outcome::failed: fail(engine_.failure()); break;
        }
    }
    if (handshakeDone_) readAll();
    flush();
    finishClosing();
}

void TLSMemoryBIOProtocol::readAll() {
    const Turn::Lease scratch(turn());
    while (alive() && !closeReceived_) {
        if (paused_) {
            held_.assign(engine_.unread());
            return;
        }
        std::size_t got = 0;
        switch (engine_.read(scratch.block(), got)) {
            case ssl::Engine::Outcome::ok: deliver(BytesView(scratch.block().data(), got)); break;
            case ssl::Engine::Outcome::wantsInput: return;
            case ssl::Engine::Outcome::closed: heardClose(); return;
            case ssl::Engine::Outcome::failed: fail(engine_.failure()); return;
        }
    }
}

void TLSMemoryBIOProtocol::deliver(BytesView plaintext) {
    if (discarding_ || plaintext.empty()) return;
    const std::shared_ptr<Protocol> receiver = wrappedProtocol();  // it may be spliced out while it runs
    receiver->dataReceived(plaintext);
}

void TLSMemoryBIOProtocol::heardClose() {
    closeReceived_ = true;
    const BytesView rest = engine_.unread();
    if (!peerMayClose()) return;
    unsentAtClose_ = bufferedBytes() > 0;
    flush();  // what was written stays ahead of our close_notify
    sendCloseNotify();
    if (!alive()) return;
    over_ = true;
    if (timeout_.active()) timeout_.cancel();
    closed(rest);
}

void TLSMemoryBIOProtocol::closed(BytesView) {
    setDisconnecting();
    transport().loseConnection();
    const std::shared_ptr<ProducerMembrane> producer = std::exchange(producer_, nullptr);
    if (!producer) return;  // or an onion has moved it
    // Nobody takes what it makes any more, and the close below would wait for it.
    transport().unregisterProducer();
    try {
        producer->stopProducing();
    } catch (...) {
        log::err(Failure::current(), "in stopProducing");
    }
}

void TLSMemoryBIOProtocol::handshakeFinished() {
    handshakeDone_ = true;
    if (timeout_.active()) timeout_.cancel();
    if (producer_) producer_->setWaiting(false);
    if (auto* listener = wrappedProtocol()->provides<HandshakeListener>()) listener->handshakeCompleted();
}

void TLSMemoryBIOProtocol::connectionLost(const Failure& reason) {
    if (timeout_.active()) timeout_.cancel();
    over_ = true;
    pending_.clear();
    if (reason.check<ConnectionDone>() && !closeReceived_) {
        // EOF on the socket is an attacker's to make; only close_notify is the peer's word (TLS-12).
        ProtocolWrapper::connectionLost(handshakeDone_ ? failureOf<TLSTruncated>()
                                                       : Failure(TLSTruncated("the handshake was not done")));
    } else if (closeReceived_ && !unsentAtClose_ && isSocketError(reason)) {
        // The peer closed in order, and its socket was gone before our answer; nothing is lost.
        ProtocolWrapper::connectionLost(failureOf<ConnectionDone>());
    } else {
        ProtocolWrapper::connectionLost(reason);
    }
}

// Output.

bool TLSMemoryBIOProtocol::takesWrites() const noexcept {
    return alive() && !closeSent_ && (!closing_ || producer_);  // TLS-7
}

void TLSMemoryBIOProtocol::writeOwned(Bytes&& data) { writeView(data); }

void TLSMemoryBIOProtocol::writeView(BytesView data) {
    if (!takesWrites() || data.empty()) return;
    if (bufferedBytes() > outputLimit_) {
        fail(OutputLimitExceeded(std::to_string(bufferedBytes()) + " octets wait, the limit is " +
                                 std::to_string(outputLimit_)));
        transport().abortConnection();
        return;
    }
    const bool ready = handshakeDone_ && !engine_.busy();
    const std::size_t whole = ready && pending_.empty() ? data.size() / kRecord * kRecord : 0;
    const BytesView rest = data.substr(whole);
    if (pending_.empty() && pending_.capacity() < rest.size()) pending_ = turn().takeBytes();
    pending_.append(rest);  // first, so that what a producer writes when it is told to pause comes behind it
    if (whole > 0) {
        encrypt(data.substr(0, whole));  // from where it is
        if (!alive()) return;
    }
    if (ready && pending_.size() >= kRecord) flush();
    if (!pending_.empty()) schedule();
}

void TLSMemoryBIOProtocol::schedule() {
    if (!processing_) turn().atEnd(*this, depth_);
}

void TLSMemoryBIOProtocol::endOfTurn() noexcept {
    flush();
    finishClosing();
}

void TLSMemoryBIOProtocol::flush() {
    while (alive() && handshakeDone_ && !pending_.empty() && !engine_.busy()) {
        Bytes data = std::move(pending_);
        pending_ = Bytes();  // a producer that is told to pause may write
        encrypt(data);
        turn().giveBytes(std::move(data));
    }
}

void TLSMemoryBIOProtocol::encrypt(BytesView data) {
    if (engine_.write(data) != ssl::Engine::Outcome::ok) fail(engine_.failure());
}

// The end.

void TLSMemoryBIOProtocol::finishClosing() {
    if (!alive() || !closing_ || !handshakeDone_ || closeSent_ || producer_ || !pending_.empty() || engine_.busy())
        return;
    sendCloseNotify();
}

void TLSMemoryBIOProtocol::sendCloseNotify() {
    if (closeSent_) return;
    closeSent_ = true;
    const std::size_t ahead = waitingBelow();
    if (engine_.shutdown() != ssl::Engine::Outcome::ok) {
        fail(engine_.failure());
    } else if (!closeReceived_ && !halfClosing_) {
        expectClose(ahead);
    }
}

/// The limit is for the answer: while the peer still takes what was written before, it begins anew.
/// @param ahead how much waits below, ahead of our close_notify
void TLSMemoryBIOProtocol::expectClose(std::size_t ahead) {
    expect(options_->closeTimeout(), [this, ahead] {
        if (waitingBelow() < ahead) {
            expectClose(waitingBelow());
            return;
        }
        fail(TLSCloseTimeout("the limit is " + std::to_string(options_->closeTimeout() / std::chrono::milliseconds(1)) +
                             " ms"));
        transport().abortConnection();
    });
}

void TLSMemoryBIOProtocol::closeLayer() {
    if (closing_ && !halfClosing_) return;
    closing_ = true;
    const bool sentAlready = closeSent_;
    halfClosing_ = false;
    if (!alive()) return;
    if (sentAlready && !closeReceived_) expectClose(waitingBelow());
    finishSoon();
}

void TLSMemoryBIOProtocol::finishSoon() {
    if (processing_) return;  // the end of process() does it
    if (engine_.busy()) {     // a producer called us from inside its pauseProducing
        schedule();
        return;
    }
    flush();
    finishClosing();
}

void TLSMemoryBIOProtocol::loseConnection() {
    if (disconnecting()) return;
    setDisconnecting();
    discarding_ = true;
    if (!alive()) return;
    if (!handshakeDone_ && pending_.empty() && !producer_) {
        abortConnection();  // there is nothing to say, and nobody to say it to (TLS-5)
        return;
    }
    closeLayer();
    if (paused_) resumeProducing();  // or the peer's close_notify is never seen
}

void TLSMemoryBIOProtocol::loseWriteConnection() {
    if (!alive() || closing_) return;
    closing_ = halfClosing_ = true;
    finishSoon();
}

void TLSMemoryBIOProtocol::abortConnection() {
    setDisconnecting();
    discarding_ = true;
    over_ = true;
    pending_.clear();
    if (timeout_.active()) timeout_.cancel();
    transport().abortConnection();
}

void TLSMemoryBIOProtocol::failConnection(const Failure& reason) {
    if (alive() && handshakeDone_ && !engine_.busy()) {
        flush();
        sendCloseNotify();
    }
    fail(reason);
    if (connected()) transport().failConnection(reason);  // if it was over already; harmless otherwise
}

void TLSMemoryBIOProtocol::fail(const Failure& reason) {
    if (!alive()) return;
    over_ = true;
    discarding_ = true;
    pending_.clear();
    if (timeout_.active()) timeout_.cancel();
    setDisconnecting();
    broken();
    transport().failConnection(reason);
}

// Producers.

void TLSMemoryBIOProtocol::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (producer_) {
        throw RuntimeError("Cannot register a producer, because another one was never unregistered");
    }
    if (!alive() || closeSent_) {
        producer->stopProducing();
        return;
    }
    producer_ = std::make_shared<ProducerMembrane>(*this, std::move(producer), streaming);
    const std::shared_ptr<ProducerMembrane> keep = producer_;
    if (!handshakeDone_) keep->setWaiting(true);
    transport().registerProducer(keep, true);
    keep->start();
}

void TLSMemoryBIOProtocol::unregisterProducer() {
    const std::shared_ptr<ProducerMembrane> producer = std::exchange(producer_, nullptr);
    if (!producer) return;
    producer->detach();
    transport().unregisterProducer();  // also if this layer is over: the one below may go on, or wait for this
    if (alive() && closing_ && !processing_) turn().atEnd(*this, depth_);  // the close may have waited for this
}

void TLSMemoryBIOProtocol::pauseProducing() {
    if (discarding_) return;  // or the peer's close_notify is never seen
    paused_ = true;
    transport().pauseProducing();
}

void TLSMemoryBIOProtocol::resumeProducing() {
    if (paused_ && !held_.empty()) {
        const std::weak_ptr<Protocol> self = weak_from_this();
        turn().later([this, self] {
            if (const auto alive = self.lock()) goOnAfterPause();
        });
    }
    paused_ = false;
    transport().resumeProducing();
}

void TLSMemoryBIOProtocol::goOnAfterPause() {
    if (!alive() || paused_ || held_.empty()) return;
    const Bytes input = std::exchange(held_, Bytes());
    try {
        process(input);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in a callback after resumeProducing");
        failConnection(failure);
    }
}

// What a TLS transport tells.

std::shared_ptr<const ssl::Certificate> TLSMemoryBIOProtocol::getPeerCertificate() const {
    if (!handshakeDone_) return nullptr;
    const std::optional<ssl::Certificate> certificate = engine_.session().peerCertificate();
    return certificate ? std::make_shared<const ssl::Certificate>(*certificate) : nullptr;
}

std::optional<std::string> TLSMemoryBIOProtocol::negotiatedProtocol() const {
    if (!handshakeDone_) return std::nullopt;
    return engine_.session().negotiatedProtocol();
}

std::string TLSMemoryBIOProtocol::tlsVersion() const {
    return handshakeDone_ ? engine_.session().version() : std::string();
}

std::string TLSMemoryBIOProtocol::tlsCipher() const {
    return handshakeDone_ ? engine_.session().cipher() : std::string();
}

std::size_t TLSMemoryBIOProtocol::bufferedBytes() const { return pending_.size() + waitingBelow(); }

void TLSMemoryBIOProtocol::startTLS(const ssl::ContextFactory&, TLSRole, Residue) {
    throw RuntimeError("TLS is on already: to put TLS inside TLS, wrap the factory in an OnionFactory");
}

}  // namespace torsion
