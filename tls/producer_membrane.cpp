#include <torsion/tls/producer_membrane.hpp>

#include <torsion/core/log.hpp>
#include <torsion/core/turn.hpp>

namespace torsion {

namespace {
/// How many pieces a pull producer is asked for in one turn: others want their turn, too.
constexpr int kPullsATurn = 8;
}  // namespace

ProducerMembrane::ProducerMembrane(Transport& consumer, std::shared_ptr<Producer> original, bool streaming) noexcept
    : consumer_(&consumer), original_(std::move(original)), streaming_(streaming) {}

void ProducerMembrane::start() {
    if (!streaming_ && !paused_) schedulePull();
}

void ProducerMembrane::schedulePull() {
    if (pullScheduled_ || consumer_ == nullptr) return;
    pullScheduled_ = true;
    consumer_->turn().later([self = shared_from_this()] {
        self->pullScheduled_ = false;
        self->pull();
    });
}

void ProducerMembrane::pull() {
    try {
        for (int i = 0; i < kPullsATurn && consumer_ != nullptr && !paused_; ++i) {
            const std::shared_ptr<Producer> keep = original_;
            keep->resumeProducing();
        }
    } catch (...) {
        log::err(Failure::current(), "in resumeProducing of a pull producer, which is unregistered");
        if (consumer_ != nullptr) consumer_->unregisterProducer();
    }
    if (consumer_ != nullptr && !paused_) schedulePull();
}

void ProducerMembrane::setWaiting(bool waiting) {
    waiting_ = waiting;
    update();
}

void ProducerMembrane::pauseProducing() {
    belowFull_ = true;
    update();
}

void ProducerMembrane::resumeProducing() {
    belowFull_ = false;
    update();
}

void ProducerMembrane::update() {
    if (consumer_ == nullptr || paused_ == (belowFull_ || waiting_)) return;
    paused_ = !paused_;
    if (!streaming_) {
        if (!paused_) schedulePull();
        return;
    }
    const std::shared_ptr<Producer> keep = original_;
    try {
        if (paused_) {
            keep->pauseProducing();
        } else {
            keep->resumeProducing();
        }
    } catch (...) {  // not through OpenSSL, which may be what calls us
        const Failure failure = Failure::current();
        log::err(failure, "in a producer's pauseProducing or resumeProducing");
        if (consumer_ != nullptr) consumer_->failConnection(failure);
    }
}

void ProducerMembrane::stopProducing() {
    if (consumer_ == nullptr) return;
    const std::shared_ptr<Producer> original = original_;
    detach();
    original->stopProducing();
}

void ProducerMembrane::detach() noexcept {
    consumer_ = nullptr;
    original_.reset();
}

}  // namespace torsion
