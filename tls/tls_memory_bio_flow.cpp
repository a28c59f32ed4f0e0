// How a TLS layer holds up and lets go: producers on top of it, and pauses of the reader.

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/producer_membrane.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion {

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
    if (alive() && paused_ && !held_.empty()) later(&TLSMemoryBIOProtocol::goOnAfterPause);
    paused_ = false;
    transport().resumeProducing();
}

void TLSMemoryBIOProtocol::goOnAfterPause() {
    if (!alive() || paused_ || held_.empty()) return;
    const Bytes input = std::exchange(held_, Bytes());
    process(input);
}

}  // namespace torsion
