#include <torsion/testing/fake_transport.hpp>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/testing/printable.hpp>

namespace torsion::testing {

FakeTransport::FakeTransport(std::shared_ptr<task::Clock> clock, Address host, Address peer)
    : clock_(std::move(clock)), hostAddress_(std::move(host)), peerAddress_(std::move(peer)) {}

FakeTransport::~FakeTransport() = default;

void FakeTransport::note(const std::string& event) const {
    if (trace_) trace_(event);
    if (recent_ != nullptr) recent_->push_back(event);
}

template <class F>
void FakeTransport::contain(F&& callback) {
    const std::shared_ptr<Protocol> keep = protocol_;
    try {
        callback();
    } catch (...) {  // TR-13
        const Failure failure = Failure::current();
        log::err(failure, "in a callback of an in-memory connection");
        output_.clear();
        endWire(WireEnd::fin);
        lose(failure);
    }
}

// What the application asks for.

void FakeTransport::writeView(BytesView data) {
    if (lost_ || loss_ || writeClosed_ || data.empty()) return;
    if (output_.size() > outputLimit_) {
        disconnecting_ = true;
        output_.clear();
        endWire(WireEnd::reset);
        lose(failureOf<OutputLimitExceeded>());
        return;
    }
    output_.append(data);
    peak_ = std::max(peak_, output_.size());
    pullAsked_ = false;
    if (producer_ && streaming_ && !producerPaused_ && output_.size() > highWater()) {
        producerPaused_ = true;
        const std::shared_ptr<Producer> keep = producer_;
        keep->pauseProducing();
    }
}

void FakeTransport::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    if (lost_) {
        producer->stopProducing();
        return;
    }
    if (producer_) throw RuntimeError("Cannot register a producer: there is one already");
    producer_ = std::move(producer);
    streaming_ = streaming;
    producerPaused_ = false;
    if (!streaming) {
        pullAsked_ = true;
        const std::shared_ptr<Producer> keep = producer_;
        keep->resumeProducing();
    }
}

void FakeTransport::unregisterProducer() { producer_.reset(); }

void FakeTransport::loseConnection() {
    if (!lost_) disconnecting_ = true;
}

void FakeTransport::abortConnection() {
    if (lost_ || loss_) return;
    disconnecting_ = true;
    output_.clear();
    endWire(WireEnd::reset);
    lose(failure_ ? *failure_ : failureOf<ConnectionAborted>());
}

void FakeTransport::failConnection(const Failure& reason) {
    if (lost_ || loss_) return;
    disconnecting_ = true;
    if (!failure_) failure_ = reason;
}

void FakeTransport::breakConnection(const Failure& reason) { lose(reason); }

void FakeTransport::endWire(WireEnd how) noexcept {
    if (other_ != nullptr) other_->wireEnd_ = std::max(other_->wireEnd_, how);
}

void FakeTransport::lose(const Failure& reason) {
    if (!lost_ && !loss_) loss_ = reason;
}

// What the pump does.

void FakeTransport::start(const std::shared_ptr<FakeTransport>& self, std::shared_ptr<Protocol> protocol) {
    protocol_ = std::move(protocol);
    contain([&] { protocol_->makeConnection(self); });
}

bool FakeTransport::finish() {
    if (lost_ || !loss_) return false;
    lost_ = true;
    output_.clear();
    wire_.clear();
    note("lost: " + loss_->getErrorMessage());
    if (const std::shared_ptr<Producer> producer = std::exchange(producer_, nullptr)) {
        contain([&] { producer->stopProducing(); });  // PC-5
    }
    const std::shared_ptr<Protocol> protocol = std::exchange(protocol_, nullptr);
    if (protocol) {
        protocol->deliverConnectionLost(*loss_);
        turn().deferDeletion(protocol);
    }
    if (const auto hook = std::exchange(lossHook_, nullptr)) hook(*loss_);
    return true;
}

bool FakeTransport::send(bool impatient) {
    partial_ = false;
    if (lost_ || loss_) return false;
    const bool sent = transmit(impatient);
    const bool asked = askProducer();
    return close() || sent || asked;
}

/// How many of @p available octets come to this end now, by its segmentation.
std::size_t FakeTransport::segment(std::size_t available, bool impatient) {
    const std::size_t octets = segmentation_(available);
    if (octets != 0 && octets <= available) return octets;
    return impatient ? available : 0;
}

bool FakeTransport::transmit(bool impatient) {
    if (output_.empty()) return false;
    const bool heard = !other_->lost_ && !other_->loss_;
    std::size_t octets = output_.size();
    if (heard && other_->unbuffered_) {
        if (!other_->reading() || !other_->wire_.empty()) return false;
        octets = other_->segment(std::min(octets, Turn::kReadSize), impatient);
    } else if (heard) {
        octets = std::min(octets, other_->wireCapacity_ - std::min(other_->wireCapacity_, other_->wire_.size()));
    }
    if (octets == 0) return false;
    partial_ = octets < output_.size();
    sent_ += octets;
    const BytesView data = output_.view().substr(0, octets);
    if (tap_) tap_(data);
    if (trace_ || recent_ != nullptr) note(fmt::format("sends {}: {}", octets, printable(data)));
    if (heard) {
        other_->wire_.append(data);
    } else if (readClosed_) {
        wireEnd_ = WireEnd::reset;  // the peer's system refuses what nobody will read
    }
    output_.consume(octets);
    return true;
}

bool FakeTransport::askProducer() {
    if (!producer_ || loss_) return false;
    const bool ask = streaming_ ? producerPaused_ && output_.size() <= lowWater() : output_.empty() && !pullAsked_;
    if (!ask) return false;
    producerPaused_ = false;
    pullAsked_ = true;
    contain([producer = producer_] { producer->resumeProducing(); });
    return true;
}

bool FakeTransport::close() {
    if (loss_ || !output_.empty()) return false;
    if (failure_ || flushing_ || (disconnecting_ && !producer_)) {  // D6: a producer is waited for
        note("closes");
        endWire(WireEnd::fin);
        lose(failure_ ? *failure_ : failureOf<ConnectionDone>());
        return true;
    }
    if (!writeClosing_ || writeClosed_ || producer_) return false;
    note("closes its side");
    writeClosed_ = true;
    endWire(WireEnd::fin);
    contain([this] {
        if (auto* half = protocol_->provides<HalfCloseableProtocol>()) half->writeConnectionLost();
    });
    return true;
}

bool FakeTransport::reading() const noexcept { return !paused_ && !disconnecting_ && !readClosed_ && !flushing_; }

bool FakeTransport::receive(bool impatient) {
    if (lost_ || loss_) return false;
    if (!reading()) {
        // Who is going to close reads no more, and only notices a reset.
        if (disconnecting_ || flushing_) wire_.clear();
        if (wireEnd_ != WireEnd::reset) return false;
        meetEnd();
        return true;
    }
    if (wire_.empty()) {
        if (wireEnd_ == WireEnd::open) return false;
        meetEnd();
        return true;
    }
    const std::size_t available = std::min(wire_.size(), Turn::kReadSize);
    const std::size_t octets = unbuffered_ ? available : segment(available, impatient);
    if (octets == 0) return false;
    partial_ = partial_ || octets < wire_.size();
    deliver(octets);
    return true;
}

void FakeTransport::deliver(std::size_t octets) {
    char* const buffer = turn().readBuffer().data();
    std::memcpy(buffer, wire_.view().data(), octets);
    wire_.consume(octets);
    delivered_ += octets;
    contain([&] { protocol_->dataReceived(BytesView(buffer, octets)); });
    std::memset(buffer, 0xDD, octets);  // who kept the view shall notice
}

void FakeTransport::meetEnd() {
    if (wireEnd_ == WireEnd::reset) {
        endWire(WireEnd::fin);
        lose(failureOf<ConnectionLost>());
    } else if (auto* half = protocol_->provides<HalfCloseableProtocol>()) {
        readClosed_ = true;
        contain([half] { half->readConnectionLost(); });
    } else if (finishWriting_) {
        flushing_ = true;
    } else {  // D7: what waits is dropped
        output_.clear();
        endWire(WireEnd::fin);
        lose(failureOf<ConnectionDone>());
    }
}

}  // namespace torsion::testing
