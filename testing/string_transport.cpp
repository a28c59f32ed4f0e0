#include <torsion/testing/string_transport.hpp>

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

namespace torsion::testing {

StringTransport::StringTransport() : ownClock_(std::make_unique<task::Clock>()), clock_(ownClock_.get()) {}

StringTransport::StringTransport(task::Clock& clock) : clock_(&clock) {}

StringTransport::~StringTransport() = default;

void StringTransport::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (!connected_) {
        producer->stopProducing();
        return;
    }
    if (producer_) throw RuntimeError("Cannot register two producers");
    producer_ = std::move(producer);
    streaming_ = streaming;
}

void StringTransport::checkProducing() const {
    if (disconnecting_ && !lenient_) throw RuntimeError("Cannot pause or resume producing after loseConnection");
    if (producerState_ == ProducerState::stopped) throw RuntimeError("Cannot pause or resume a stopped producer");
}

void StringTransport::pauseProducing() {
    checkProducing();
    producerState_ = ProducerState::paused;
}

void StringTransport::resumeProducing() {
    checkProducing();
    producerState_ = ProducerState::producing;
}

void StringTransport::abortConnection() {
    aborted_ = true;
    disconnecting_ = true;
}

void StringTransport::failConnection(const Failure& reason) {
    if (!failure_) failure_ = reason;
    disconnecting_ = true;
}

void StringTransport::writeView(BytesView data) {
    if (!connected_ || writeClosed_) return;
    written_.append(data);
    ++writes_;
}

void StringTransportWithDisconnection::loseConnection() {
    StringTransport::loseConnection();
    lose(failureOf<ConnectionDone>());
}

void StringTransportWithDisconnection::abortConnection() {
    StringTransport::abortConnection();
    lose(failureOf<ConnectionAborted>());
}

void StringTransportWithDisconnection::failConnection(const Failure& reason) {
    StringTransport::failConnection(reason);
    lose(reason);
}

void StringTransportWithDisconnection::lose(const Failure& reason) {
    if (losing_) return;
    losing_ = true;
    turn().later([weak = weak_from_this(), reason] {
        if (const auto self = weak.lock()) self->finish(reason);
    });
}

void StringTransportWithDisconnection::finish(const Failure& reason) {
    setDisconnected();
    if (const std::shared_ptr<Producer> stopped = producer()) {
        unregisterProducer();
        try {
            stopped->stopProducing();
        } catch (...) {
            log::err(Failure::current(), "in stopProducing");
        }
    }
    if (const std::shared_ptr<Protocol> protocol = protocol_.lock()) protocol->deliverConnectionLost(reason);
    if (const auto hook = std::exchange(lossHook_, nullptr)) hook(reason);
}

}  // namespace torsion::testing
