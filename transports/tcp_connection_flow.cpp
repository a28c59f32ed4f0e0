// How a TCP connection holds up and lets go: its producer, and pauses of its reader.

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>
#include <torsion/transports/tcp_connection_rare.hpp>

namespace torsion::tcp {

void Connection::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (tls_) {
        tls_->registerProducer(std::move(producer), streaming);
    } else {
        rawRegisterProducer(std::move(producer), streaming);
    }
}

void Connection::rawRegisterProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (this->producer() != nullptr) {
        throw RuntimeError("Cannot register a producer, because another one was never unregistered");
    }
    if (!connected_ || aborted_ || failed_) {
        producer->stopProducing();
        return;
    }
    const std::shared_ptr<Producer> keep = rare().producer = std::move(producer);
    streaming_ = streaming;
    producerPaused_ = false;
    if (!streaming) {
        keep->resumeProducing();
    } else if (output_.size() > kHighWater) {
        producerPaused_ = true;
        keep->pauseProducing();
    }
}

void Connection::unregisterProducer() {
    if (tls_) {
        tls_->unregisterProducer();
    } else {
        rawUnregisterProducer();
    }
}

void Connection::rawUnregisterProducer() {
    takeProducer();
    producerPaused_ = false;
    if (disconnecting_ || writeClosing_) scheduleFlush();  // the close may have waited for this (PC-6)
}

void Connection::pauseProducing() {
    if (tls_) {
        tls_->pauseProducing();
    } else {
        rawPauseProducing();
    }
}

void Connection::rawPauseProducing() {
    if (!connected_) return;
    watch_->setReading(false);
}

void Connection::resumeProducing() {
    if (tls_) {
        tls_->resumeProducing();
    } else {
        rawResumeProducing();
    }
}

void Connection::rawResumeProducing() {
    if (connected_ && !disconnecting_ && !readEnded_) watch_->setReading(true);
}

}  // namespace torsion::tcp
