#include <torsion/tls/tls_memory_bio_protocol.hpp>

#include <limits>
#include <typeinfo>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/producer_membrane.hpp>

namespace torsion {

namespace {

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
                                           ssl::Role role, std::shared_ptr<Protocol> wrappedProtocol,
                                           ConnectionMade connectionMade)
    : TLSMemoryBIOProtocol(std::move(factory), options.share(), role, std::move(wrappedProtocol), connectionMade) {}

TLSMemoryBIOProtocol::TLSMemoryBIOProtocol(std::shared_ptr<WrappingFactory> factory,
                                           std::shared_ptr<const ssl::ContextFactory> options, ssl::Role role,
                                           std::shared_ptr<Protocol> wrappedProtocol, ConnectionMade connectionMade)
    : ProtocolWrapper(factory, std::move(wrappedProtocol)),
      options_(std::move(options)),
      engine_(options_->newSession(role, sessionOptions(factory)), *this),
      connects_(connectionMade == ConnectionMade::afterHandshake ? Connects::whenVerified : Connects::atOnce) {}

TLSMemoryBIOProtocol::TLSMemoryBIOProtocol(const ssl::ContextFactory& options, ssl::Role role,
                                           std::shared_ptr<Protocol> wrappedProtocol)
    : ProtocolWrapper(nullptr, std::move(wrappedProtocol)),
      options_(options.share()),
      engine_(options_->newSession(role, {}), *this),
      connects_(Connects::never) {}

TLSMemoryBIOProtocol::~TLSMemoryBIOProtocol() { expectNothing(); }

void TLSMemoryBIOProtocol::makeConnection(std::shared_ptr<Transport> below) {
    setTransport(std::move(below));
    setConnected();
    for (Transport* layer = &transport(); layer != nullptr; layer = layer->lower()) ++depth_;
    below_ = transport().query<TCPTransport>();
    // The cap is kept here: what one write adds does not count, and below it arrives as many.
    if (below_ != nullptr) below_->setOutputLimit(std::numeric_limits<std::size_t>::max());
    if (wrappingFactory()) wrappingFactory()->registerProtocol(*this);
    if (connects_ == Connects::atOnce) {
        connectWrapped();
        if (!alive()) return;  // aborted: no hello goes out (TLS-2)
    }
    expect(options_->handshakeTimeout(), [this] {
        fail(TLSHandshakeTimeout("the limit is " +
                                 std::to_string(options_->handshakeTimeout() / std::chrono::milliseconds(1)) + " ms"));
    });
    process({});
}

void TLSMemoryBIOProtocol::connectWrapped() {
    connects_ = Connects::done;
    connectionMade();
}

void TLSMemoryBIOProtocol::expect(Duration timeout, Function<void()> otherwise) {
    expectNothing();
    timeout_ = turn().clock().callLater(timeout, std::move(otherwise));
}

void TLSMemoryBIOProtocol::expectNothing() {
    if (timeout_.active()) timeout_.cancel();
    timeout_ = DelayedCall();  // or an idle connection would keep the memory of its last one
}

// Input.

void TLSMemoryBIOProtocol::dataReceived(BytesView data) {
    if (!alive() || closeReceived_) return;  // what comes behind a close_notify is void (RFC 8446, 6.1)
    traffic_.ciphertextReceived += data.size();
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
    std::shared_ptr<Protocol> receiver;  // it may be spliced out while it runs
    std::size_t got = 0;
    while (alive() && !closeReceived_ && !paused_) {
        // A record goes through more code than a processor's first cache holds: what is rare must not lie between.
        if (const auto outcome = engine_.read(scratch.block(), got); outcome != ssl::Engine::Outcome::ok) [[unlikely]] {
            if (outcome == ssl::Engine::Outcome::closed) heardClose();
            if (outcome == ssl::Engine::Outcome::failed) fail(engine_.failure());
            return;
        }
        if (receiver != wrappedProtocol()) [[unlikely]]
            receiver = wrappedProtocol();
        deliver(BytesView(scratch.block().data(), got), *receiver);
    }
    if (alive() && !closeReceived_) held_.assign(engine_.unread());
}

inline void TLSMemoryBIOProtocol::deliver(BytesView plaintext, Protocol& receiver) {
    if (discarding_ || plaintext.empty()) return;
    traffic_.plaintextReceived += plaintext.size();
    delivered_ = plaintext;
    try {
        receiver.dataReceived(plaintext);
    } catch (...) {
        delivered_ = {};
        keepLent();
        throw;
    }
    delivered_ = {};
    keepLent();
}

void TLSMemoryBIOProtocol::heardClose() {
    closeReceived_ = true;
    const BytesView rest = engine_.unread();
    if (!peerMayClose()) return;
    if (HalfCloseableProtocol* const half = discarding_ ? nullptr : halfCloseable()) {
        unsentAtClose_ = true;  // it may write until it closes
        half->readConnectionLost();
        if (!closing_ || producer_) return;  // a close waits for the producer (D6)
    } else {
        unsentAtClose_ = bufferedBytes() > 0;
    }
    if (alive()) closedByBoth(rest);
}

/// The peer's close_notify is here, and ours goes out at the latest now.
void TLSMemoryBIOProtocol::closedByBoth(BytesView rest) {
    flush();  // what was written stays ahead of our close_notify
    sendCloseNotify();
    if (!alive()) return;
    over_ = true;
    expectNothing();
    closed(rest);
}

Protocol* TLSMemoryBIOProtocol::wrapped() const noexcept {
    class EndIsKnown final : public Protocol, public HalfCloseableProtocol {
        void readConnectionLost() override {}
        void writeConnectionLost() override {}
    };
    static EndIsKnown endIsKnown;
    // Half open: the FIN that may follow the peer's close_notify says nothing new, and must not end the connection.
    return closeReceived_ && !over_ ? &endIsKnown : nullptr;
}

void TLSMemoryBIOProtocol::draining() {
    if (!alive()) return;
    draining_ = !wrappedProtocol()->connected();
    if (draining_) return;
    if (auto* const listener = wrappedProtocol()->provides<DrainListener>()) listener->draining();
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
    ++turn().counters().handshakes;
    expectNothing();
    if (producer_) producer_->setWaiting(false);
    try {
        if (connects_ == Connects::whenVerified) connectWrapped();
        if (draining_) draining();
        HandshakeListener* const listener = alive() ? wrappedProtocol()->provides<HandshakeListener>() : nullptr;
        if (listener != nullptr) listener->handshakeCompleted();
    } catch (...) {
        const Failure failure = Failure::current();
        settle(&failure);
        throw;
    }
    settle(nullptr);
}

Deferred<void> TLSMemoryBIOProtocol::established() {
    if (established_) return defer::succeed();
    if (!connected()) return defer::fail(ConnectionLost("the connection ended before its handshake was done"));
    Deferred<void> result([self = weak_from_this()](Deferred<void>&) {
        // The transport below then tells connectionLost, which comes too late for this Deferred.
        if (const auto layer = self.lock()) static_cast<TLSMemoryBIOProtocol&>(*layer).abortConnection();
    });
    waiting_.push_back(result);
    return result;
}

/// Fires what established() gave out. @param failure null if all went well
void TLSMemoryBIOProtocol::settle(const Failure* failure) {
    if (failure == nullptr) established_ = true;
    for (const Deferred<void>& waiting : std::exchange(waiting_, {})) {
        if (waiting.called()) continue;
        if (failure == nullptr) {
            waiting.callback();
        } else {
            waiting.errback(*failure);
        }
    }
}

Failure TLSMemoryBIOProtocol::cutShort() const {
    if (handshakeDone_) return failureOf<TLSTruncated>();
    return TLSTruncated(
        "the peer ended the connection in the middle of the handshake. It may not speak TLS here, or have refused us "
        "without saying why");
}

void TLSMemoryBIOProtocol::connectionLost(const Failure& lost) {
    expectNothing();
    if (!handshakeDone_) ++turn().counters().handshakesFailed;
    over_ = true;
    dropWaiting();
    held_.clear();
    Failure reason = lost;
    if (lost.check<ConnectionDone>()) {
        // EOF on the socket is an attacker's to make; only close_notify is the peer's word (TLS-12).
        if (!closeReceived_) reason = cutShort();
    } else if (closeReceived_ && !unsentAtClose_ && isSocketError(lost)) {
        // The peer closed in order, and its socket was gone before our answer; nothing is lost.
        reason = failureOf<ConnectionDone>();
    }
    if (connects_ == Connects::whenVerified) setWrappedProtocol(nullptr);  // it was never connected
    ProtocolWrapper::connectionLost(reason);
    settle(&reason);
}

// The end.

void TLSMemoryBIOProtocol::finishClosing() {
    if (!alive() || !closing_ || !handshakeDone_ || closeSent_ || producer_) return;
    if (engine_.midMessage()) {
        // The rest of it may never come, and then this is all that ends the connection.
        if (!halfClosing_ && !timeout_.active()) expectClose(waitingBelow());
        return;
    }
    if (!pending_.empty() || busy()) return;
    if (closeReceived_) {
        closedByBoth({});
    } else {
        sendCloseNotify();
    }
}

void TLSMemoryBIOProtocol::sendCloseNotify() {
    if (closeSent_) return;
    closeSent_ = true;
    const std::size_t ahead = waitingBelow();
    if (engine_.shutdown() != ssl::Engine::Outcome::ok) {
        fail(engine_.failure());
    } else if (halfClosing_) {
        later(&TLSMemoryBIOProtocol::tellWriteConnectionLost);
    } else if (!closeReceived_) {
        expectClose(ahead);
    }
}

void TLSMemoryBIOProtocol::tellWriteConnectionLost() {
    if (!alive() || discarding_) return;
    if (HalfCloseableProtocol* const half = halfCloseable()) half->writeConnectionLost();
}

/// Runs @p work on a later turn, if this layer is still there. What the application throws from it fails the
/// connection.
void TLSMemoryBIOProtocol::later(void (TLSMemoryBIOProtocol::*work)()) {
    turn().later([self = weak_from_this(), work] {
        const auto keep = self.lock();
        if (!keep) return;
        auto& layer = static_cast<TLSMemoryBIOProtocol&>(*keep);
        try {
            (layer.*work)();
        } catch (...) {
            const Failure failure = Failure::current();
            log::err(failure, "in a callback on a later turn");
            layer.failConnection(failure);
        }
    });
}

/// The limit is for the answer: while the peer still takes what was written before, it begins anew.
/// @param ahead how much waits below, ahead of our close_notify
void TLSMemoryBIOProtocol::expectClose(std::size_t ahead) {
    expect(options_->closeTimeout(), [this, ahead] {
        // Or it is our own application that does not read: the peer may have answered long ago.
        if (waitingBelow() < ahead || paused_) {
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
    if (busy()) {             // a producer called us from inside its pauseProducing
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
    dropWaiting();
    expectNothing();
    transport().abortConnection();
}

void TLSMemoryBIOProtocol::failConnection(const Failure& reason) {
    if (alive() && mayEncrypt()) {
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
    dropWaiting();
    expectNothing();
    setDisconnecting();
    broken();
    transport().failConnection(reason);
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

std::size_t TLSMemoryBIOProtocol::bufferedBytes() const { return waitingHere() + waitingBelow(); }

void TLSMemoryBIOProtocol::startTLS(const ssl::ContextFactory&, TLSRole, Residue) {
    throw RuntimeError("TLS is on already: to put TLS inside TLS, wrap the factory in an OnionFactory");
}

}  // namespace torsion
