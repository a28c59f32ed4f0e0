#include <torsion/tls/onion_protocol.hpp>

#include <limits>

#include <torsion/core/log.hpp>
#include <torsion/tls/onion_tls_protocol.hpp>
#include <torsion/tls/pop_on_disconnect_transport.hpp>
#include <torsion/tls/producer_membrane.hpp>

namespace torsion {

// The layers' side.

void OnionTLSProtocol::handshakeFinished() {
    TLSMemoryBIOProtocol::handshakeFinished();
    if (onion_ != nullptr) onion_->layerUp(*this);
}

void OnionTLSProtocol::closed(BytesView rest) {
    // The pop takes this layer out and clears onion_; what stood behind the close_notify then goes to whoever comes
    // next.
    OnionProtocol* const onion = onion_;
    TLSMemoryBIOProtocol::closed(rest);
    if (onion != nullptr && !rest.empty()) onion->deliverRest(depth, rest);
}

OnionProtocol::OnionProtocol(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<Protocol> wrappedProtocol)
    : ProtocolWrapper(std::move(factory), std::move(wrappedProtocol)),
      tail_(ProtocolWrapper::wrappedProtocol().get()) {}

OnionProtocol::~OnionProtocol() = default;

namespace {

/// Fails @p deferred with what the application's connectionLost tells, too: whoever ignores it misses nothing, so
/// nothing is logged then.
void failWithTheConnection(const Deferred<void>& deferred, const Failure& reason) {
    if (deferred.called()) return;
    deferred.errback(reason);
    detail::Core& core = *deferred.identity();
    if (core.settled() && core.slot().failed() && core.slot().failure() == reason) core.markHandled();
}

Deferred<void> tooLate(const char* what) {
    Deferred<void> deferred;
    failWithTheConnection(deferred, ConnectionLost(std::string(what) + " was called when the connection was over"));
    return deferred;
}

}  // namespace

OnionListener* OnionProtocol::listener() const { return tail_ != nullptr ? tail_->provides<OnionListener>() : nullptr; }

void OnionProtocol::makeConnection(std::shared_ptr<Transport> transport) {
    head_ = transport;
    writeTo(transport);
    ProtocolWrapper::makeConnection(std::move(transport));
}

/// Changes the outward link. The cap on output is kept here, over all layers, and lifted there.
void OnionProtocol::writeTo(std::shared_ptr<Transport> transport) {
    below_ = transport->query<TCPTransport>();
    if (below_ != nullptr) below_->setOutputLimit(std::numeric_limits<std::size_t>::max());
    setTransport(std::move(transport));
}

std::size_t OnionProtocol::bufferedBytes() const {
    return waitingBytes_ + (below_ != nullptr ? below_->bufferedBytes() : 0);
}

Protocol* OnionProtocol::wrapped() const noexcept {
    // What the head's stream can do concerns the application only while nothing is between them.
    return depth_ == 0 ? tail_ : nullptr;
}

void OnionProtocol::draining() {
    DrainListener* const listener = tail_ != nullptr ? tail_->provides<DrainListener>() : nullptr;
    if (listener != nullptr) listener->draining();
}

// Pushing.

Deferred<void> OnionProtocol::startTLS(const ssl::ContextFactory& options, ssl::Role role, BytesView leftover) {
    if (!connected() || closing_) return tooLate("startTLS");
    return startWhenPossible({newLayer(options, role), Bytes(leftover)});
}

void OnionProtocol::startTLS(const ssl::ContextFactory& options, TLSRole role, Residue residue) {
    if (role == TLSRole::normal) throw ValueError("startTLS on an onion needs TLSRole::client or TLSRole::server");
    if (!connected() || closing_) return;
    auto layer = newLayer(options, role == TLSRole::client ? ssl::Role::client : ssl::Role::server);
    Bytes leftover = residue == Residue::feedToTLS ? tail_->takeUnprocessed() : Bytes();
    startWhenPossible({std::move(layer), std::move(leftover)});
}

/// Made when it is asked for: a recipe for the other role throws, and nothing has changed. Were that found out at the
/// pop, what was written behind the start would be without its layer.
std::shared_ptr<OnionTLSProtocol> OnionProtocol::newLayer(const ssl::ContextFactory& options, ssl::Role role) {
    return std::make_shared<OnionTLSProtocol>(*this, options, role, tail_->shared_from_this());
}

Deferred<void> OnionProtocol::startWhenPossible(Start start) {
    const Deferred<void> started = start.layer->started;
    if (refuseResidue(started)) return started;
    if (mustWait()) {
        waiting_.emplace_back(std::move(start));
    } else {
        push(std::move(start));
    }
    return started;
}

/// What the application has received and not interpreted must not be taken for what comes through the new layer.
bool OnionProtocol::refuseResidue(const Deferred<void>& started) {
    const Bytes residue = tail_->takeUnprocessed();
    if (residue.empty()) return false;
    const Failure reason = PlaintextAfterStartTLS(std::to_string(residue.size()) + " octets");
    failConnection(reason);
    failWithTheConnection(started, reason);
    return true;
}

void OnionProtocol::push(Start start) {
    const std::shared_ptr<OnionTLSProtocol> layer = std::move(start.layer);
    parkProducer();
    const auto takeOff = [onion = weak_from_this(), raw = layer.get()] {
        if (const auto alive = onion.lock()) static_cast<OnionProtocol&>(*alive).pop(*raw);
    };
    auto below =
        std::make_shared<PopOnDisconnectTransport>(current_ != nullptr ? current_->asTransport() : head_, takeOff);
    if (current_ != nullptr) {
        current_->setWrappedProtocol(layer);
    } else {
        setWrappedProtocol(layer);
    }
    current_ = layer.get();
    layer->depth = ++depth_;
    writeTo(layer->asTransport());
    layer->makeConnection(std::move(below));
    if (paused_) layer->pauseProducing();  // it must deliver nothing either, and lift the pause if it is closed
    unparkProducer();
    if (!start.leftover.empty()) layer->dataReceived(start.leftover);
}

void OnionProtocol::layerUp(OnionTLSProtocol& layer) {
    const Deferred<void> started = layer.started;
    if (OnionListener* told = listener()) told->layerStarted(layer.depth);
    if (!started.called()) started.callback();
}

// Stopping.

Deferred<void> OnionProtocol::stopTLS() {
    if (!connected() || closing_) return tooLate("stopTLS");
    Deferred<void> stopped;
    // Which layer is meant is decided by what was asked for last: a start that waits, a stop that waits, or what is
    // there.
    for (auto operation = waiting_.rbegin(); operation != waiting_.rend(); ++operation) {
        if (auto* waiting = std::get_if<Stop>(&*operation)) {
            waiting->stopped.push_back(stopped);
            return stopped;
        }
        if (std::holds_alternative<Start>(*operation)) {
            waiting_.emplace_back(Stop{{stopped}});
            return stopped;
        }
    }
    if (announcing_) {
        waiting_.emplace_back(Stop{{stopped}});
    } else {
        stop({stopped});
    }
    return stopped;
}

void OnionProtocol::stop(const std::vector<Deferred<void>>& stopped) {
    if (current_ == nullptr) {
        for (const Deferred<void>& deferred : stopped) {
            deferred.errback(OnionError("stopTLS was called at depth 0, where there is no layer to stop"));
        }
        return;
    }
    current_->stopped.insert(current_->stopped.end(), stopped.begin(), stopped.end());
    if (current_->stopping) return;
    parkProducer();
    current_->stop();
}

bool OnionProtocol::layerMayClose(OnionTLSProtocol& layer) {
    if (&layer != current_) {
        failConnection(OnionError("the peer closed layer " + std::to_string(layer.depth) + ", which carries " +
                                  std::to_string(depth_ - layer.depth) + " more"));
        return false;
    }
    if (!layer.stopping && !passiveStopAllowed_ && !closing_) {
        failConnection(OnionError("the peer stopped layer " + std::to_string(layer.depth) + ", and may not"));
        return false;
    }
    return true;
}

/// Takes the innermost layer out of the list, tells, and goes on with what has waited for it.
void OnionProtocol::pop(OnionTLSProtocol& layer) {
    const std::shared_ptr<Protocol> self = shared_from_this();
    const std::shared_ptr<Protocol> popped = layer.shared_from_this();  // on the stack now
    turn().deferDeletion(popped);
    parkProducer();
    const auto& below = static_cast<PopOnDisconnectTransport&>(*layer.transportHandle()).original();
    const std::shared_ptr<Protocol> tail = layer.wrappedProtocol();
    --depth_;
    if (depth_ == 0) {
        current_ = nullptr;
        setWrappedProtocol(tail);
        writeTo(head_);
    } else {
        current_ = dynamic_cast<OnionTLSProtocol*>(below.get());
        current_->setWrappedProtocol(tail);
        writeTo(below);
        current_->endRecord();
    }
    layer.leave();
    layer.setWrappedProtocol(nullptr);
    if (closing_) {
        orphans_.insert(orphans_.end(), layer.stopped.begin(), layer.stopped.end());
        transport().loseConnection();  // the next one, or the head
        return;
    }
    orphans_ = layer.stopped;  // where a loss finds them, for the application may throw
    announcing_ = true;
    struct Announced {
        explicit Announced(bool& flag) noexcept : flag_(flag) {}
        ~Announced() { flag_ = false; }
        bool& flag_;
    };
    {
        const Announced announced(announcing_);
        if (OnionListener* told = listener()) told->layerStopped(layer.depth);
    }
    runWaiting();
    for (const Deferred<void>& stopped : layer.stopped) {
        if (!stopped.called()) stopped.callback();
    }
    orphans_.clear();
}

/// To whoever now reads what the popped layer used to: the next place in the list.
void OnionProtocol::deliverRest(unsigned place, BytesView rest) {
    if (paused_ && !closing_) {  // by layerStopped
        held_.append(rest);
        heldPlace_ = place;
        return;
    }
    std::shared_ptr<Protocol> receiver = wrappedProtocol();
    for (; place > 1 && receiver; --place) {
        if (receiver.get() == tail_) return;
        receiver = static_cast<OnionTLSProtocol&>(*receiver).wrappedProtocol();
    }
    if (!receiver || !connected() || (closing_ && receiver.get() == tail_)) return;
    receiver->dataReceived(rest);
}

/// After resumeProducing; only then the layers below go on.
void OnionProtocol::deliverHeld() {
    if (paused_ || held_.empty()) return;
    const Bytes rest = std::exchange(held_, Bytes());
    try {
        deliverRest(heldPlace_, rest);
    } catch (...) {
        const Failure failure = Failure::current();
        log::err(failure, "in a callback after resumeProducing");
        failConnection(failure);
    }
    if (!paused_) ProtocolWrapper::resumeProducing();
}

void OnionProtocol::runWaiting() {
    while (!waiting_.empty() && !blocked() && !closing_ && connected()) {
        Operation operation = std::move(waiting_.front());
        waiting_.pop_front();
        if (auto* data = std::get_if<Bytes>(&operation)) {
            waitingBytes_ -= data->size();
            transport().write(std::move(*data));
        } else if (auto* start = std::get_if<Start>(&operation)) {
            if (!refuseResidue(start->layer->started)) push(std::move(*start));  // more may have come while it waited
        } else {
            stop(std::get<Stop>(operation).stopped);
        }
    }
    if (writeClosed_ && below_ != nullptr && !mustWait()) below_->loseWriteConnection();
    unparkProducer();
}

bool OnionProtocol::blocked() const noexcept { return announcing_ || (current_ != nullptr && current_->stopping); }

bool OnionProtocol::mustWait() const noexcept { return blocked() || !waiting_.empty(); }

// The streams.

void OnionProtocol::dataReceived(BytesView data) {
    if (closing_ && depth_ == 0) return;
    ProtocolWrapper::dataReceived(data);
}

void OnionProtocol::writeView(BytesView data) {
    // While closing only a producer may still finish, in the layer that waits for it.
    if (!connected() || writeClosed_ || (closing_ && (!producer_ || producerParked_))) return;
    if (bufferedBytes() > outputLimit_) {
        failConnection(OutputLimitExceeded(std::to_string(bufferedBytes()) + " octets wait, the limit is " +
                                           std::to_string(outputLimit_)));
        abortConnection();
        return;
    }
    if (!mustWait()) {
        transport().write(data);
        return;
    }
    waitingBytes_ += data.size();
    if (!waiting_.empty() && std::holds_alternative<Bytes>(waiting_.back())) {
        std::get<Bytes>(waiting_.back()).append(data);
    } else {
        waiting_.emplace_back(Bytes(data));
    }
}

void OnionProtocol::pauseProducing() {
    paused_ = true;
    ProtocolWrapper::pauseProducing();
}

void OnionProtocol::resumeProducing() {
    const bool wasPaused = std::exchange(paused_, false);
    if (held_.empty()) {
        ProtocolWrapper::resumeProducing();
    } else if (wasPaused) {
        turn().later([self = weak_from_this()] {
            if (const auto alive = self.lock()) static_cast<OnionProtocol&>(*alive).deliverHeld();
        });
    }
}

// Producers: moved from layer to layer, without a stop.

void OnionProtocol::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (producer_) throw RuntimeError("Cannot register a producer, because another one was never unregistered");
    if (!connected()) {
        producer->stopProducing();
        return;
    }
    streaming_ = streaming;
    if (streaming) membrane_ = std::make_shared<ProducerMembrane>(*this, std::move(producer), true);
    producer_ = streaming ? membrane_ : std::move(producer);
    if (!mustWait()) {
        transport().registerProducer(std::shared_ptr<Producer>(producer_), streaming);
        return;
    }
    producerParked_ = true;
    if (const std::shared_ptr<ProducerMembrane> membrane = membrane_) membrane->setWaiting(true);
}

void OnionProtocol::unregisterProducer() {
    if (!producer_) return;
    producer_.reset();
    if (const std::shared_ptr<ProducerMembrane> membrane = std::exchange(membrane_, nullptr)) membrane->detach();
    if (!std::exchange(producerParked_, false)) transport().unregisterProducer();
}

void OnionProtocol::parkProducer() {
    if (!producer_ || producerParked_) return;
    producerParked_ = true;
    transport().unregisterProducer();
    if (const std::shared_ptr<ProducerMembrane> membrane = membrane_) {
        membrane->setWaiting(true);
        membrane->resumeProducing();  // a layer that wanted a pause does not count any more
    }
}

void OnionProtocol::unparkProducer() {
    if (!producer_ || !producerParked_ || mustWait()) return;
    producerParked_ = false;
    const std::shared_ptr<ProducerMembrane> membrane = membrane_;
    // Registered first: a producer that is resumed may write until somebody pauses it.
    transport().registerProducer(std::shared_ptr<Producer>(producer_), streaming_);
    if (membrane) membrane->setWaiting(false);
}

// The end.

void OnionProtocol::loseConnection() {
    if (closing_ || !connected()) return;
    closing_ = true;
    setDisconnecting();
    transport().loseConnection();
}

void OnionProtocol::abortConnection() {
    closing_ = true;
    setDisconnecting();
    if (connected()) transport().abortConnection();  // through all layers, so that none delivers what it has
}

void OnionProtocol::loseWriteConnection() {
    TCPTransport& below = tcp();
    writeClosed_ = true;
    if (!mustWait()) below.loseWriteConnection();
}

void OnionProtocol::failConnection(const Failure& reason) {
    closing_ = true;
    setDisconnecting();
    transport().failConnection(reason);
}

void OnionProtocol::connectionLost(const Failure& lost) {
    closing_ = true;
    const Failure reason = depth_ > 0 && lost.check<ConnectionDone>() ? failureOf<TLSTruncated>() : lost;
    std::vector<Deferred<void>> pending = std::move(orphans_);
    for (Protocol* layer = wrappedProtocol().get(); layer != nullptr && layer != tail_;) {
        auto* tls = dynamic_cast<OnionTLSProtocol*>(layer);
        if (tls == nullptr) break;
        pending.push_back(tls->started);
        pending.insert(pending.end(), tls->stopped.begin(), tls->stopped.end());
        layer = tls->wrappedProtocol().get();
    }
    for (Operation& operation : waiting_) {
        if (auto* start = std::get_if<Start>(&operation)) pending.push_back(start->layer->started);
        if (auto* stop = std::get_if<Stop>(&operation)) {
            pending.insert(pending.end(), stop->stopped.begin(), stop->stopped.end());
        }
    }
    waiting_.clear();
    waitingBytes_ = 0;
    // Each pending Deferred hears of it before the application's connectionLost does.
    for (const Deferred<void>& deferred : pending) {
        failWithTheConnection(deferred, reason);
    }
    if (const std::shared_ptr<Producer> producer = std::exchange(producer_, nullptr); producer && producerParked_) {
        try {
            producer->stopProducing();
        } catch (...) {
            log::err(Failure::current(), "in stopProducing");
        }
    }
    membrane_.reset();
    held_.clear();
    ProtocolWrapper::connectionLost(lost);
    tail_ = nullptr;
    current_ = nullptr;
}

std::vector<OnionLayer> OnionProtocol::layers() const {
    std::vector<OnionLayer> all;
    for (Protocol* layer = wrappedProtocol().get(); layer != nullptr && layer != tail_;) {
        auto* tls = static_cast<OnionTLSProtocol*>(layer);
        OnionLayer described;
        described.role = tls->session().role();
        described.state = tls->stopping || closing_ ? OnionLayer::State::stopping
                          : tls->handshakeDone()    ? OnionLayer::State::up
                                                    : OnionLayer::State::handshaking;
        described.version = tls->tlsVersion();
        described.cipher = tls->tlsCipher();
        described.peerCertificate = tls->getPeerCertificate();
        described.negotiatedProtocol = tls->negotiatedProtocol();
        const TLSTraffic& traffic = tls->traffic();
        described.plaintextReceived = traffic.plaintextReceived;
        described.plaintextWritten = traffic.plaintextWritten;
        described.ciphertextReceived = traffic.ciphertextReceived;
        described.ciphertextWritten = traffic.ciphertextWritten;
        all.push_back(std::move(described));
        layer = tls->wrappedProtocol().get();
    }
    return all;
}

}  // namespace torsion
