#include <torsion/core/looping_call.hpp>

#include <optional>

#include <torsion/core/error.hpp>

namespace torsion::task {

struct LoopingCall::State : std::enable_shared_from_this<State> {
    State(ReactorTime& c, Work w, bool counts) : clock(c), work(std::move(w)), counting(counts) {}

    void beat() {
        const std::shared_ptr<State> keep = shared_from_this();  // the function may end the LoopingCall
        std::int64_t count = 1;
        if (counting) {
            count = beatsSinceLast();
            if (count == 0) return schedule();
        }
        calling = true;
        cancelled = false;
        const Deferred<void> result = work(count);
        if (ended) call = result;  // else the LoopingCall has ended in there, and nobody would let go of it
        result.addCallbacks([keep] { keep->called(); }, [keep](const Failure& failure) { keep->failed(failure); });
        if (cancelled) result.cancel();  // from inside the function, before there was anything to cancel
    }

    /// Somebody cancels what start() returned.
    void cancel() {
        const std::shared_ptr<State> keep = shared_from_this();  // who hears of it may end the LoopingCall
        running = false;
        cancelled = true;
        if (next.active()) next.cancel();
        const std::optional<Deferred<void>> mine = ended;  // who hears of it may start anew
        if (const std::optional<Deferred<void>> underWay = call) underWay->cancel();
        if (ended == mine) ended.reset();  // a call that goes on all the same has nobody to tell, and it fails
    }

    void stop() {
        running = false;
        if (!next.active()) return;  // a call is under way, and its end is the end
        next.cancel();
        end([](const Deferred<void>& deferred) { deferred.callback(); });
    }

    void called() {
        calling = false;
        call.reset();
        if (running) {
            schedule();
        } else {
            end([](const Deferred<void>& deferred) { deferred.callback(); });
        }
    }

    void failed(const Failure& failure) {
        calling = false;
        call.reset();
        running = false;
        end([&](const Deferred<void>& deferred) { deferred.errback(failure); });
    }

    template <class Fire>
    void end(Fire fire) {
        if (!ended) return;
        const Deferred<void> deferred = std::move(*ended);
        ended.reset();
        fire(deferred);
    }

    std::int64_t beatsSinceLast() {
        const Duration now = clock.seconds();
        if (interval == Duration::zero()) return 1;
        const std::int64_t beat = (now - startTime) / interval;
        const std::int64_t count = beat - std::exchange(lastBeat, beat);
        return count;
    }

    void schedule() {
        Duration wait = Duration::zero();
        if (interval > Duration::zero()) wait = interval - (clock.seconds() - startTime) % interval;
        next = clock.callLater(wait, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->beat();
        });
    }

    ReactorTime& clock;
    Work work;
    const bool counting;
    Duration startTime{};
    Duration interval{};
    std::int64_t lastBeat = 0;  ///< the number of the last beat that was called for
    DelayedCall next;
    std::optional<Deferred<void>> call;   ///< what the function has returned, until it has come out
    std::optional<Deferred<void>> ended;  ///< what start() returned
    bool running = false;
    bool calling = false;
    bool cancelled = false;  ///< by cancel(), since the last call began
};

LoopingCall::LoopingCall(ReactorTime& clock, Work work, bool counting)
    : state_(std::make_shared<State>(clock, std::move(work), counting)) {}

LoopingCall::LoopingCall(LoopingCall&&) noexcept = default;

LoopingCall& LoopingCall::operator=(LoopingCall&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

LoopingCall::~LoopingCall() {
    if (!state_) return;
    state_->running = false;
    state_->ended.reset();
    state_->call.reset();
    if (state_->next.active()) state_->next.cancel();
}

Deferred<void> LoopingCall::start(Duration interval, bool now) {
    if (state_->running) throw RuntimeError("Tried to start an already running LoopingCall");
    if (state_->calling) throw RuntimeError("Tried to start a LoopingCall whose last call has not ended yet");
    if (interval < Duration::zero()) throw ValueError("The interval of a LoopingCall must not be negative");
    const Deferred<void> ended([weak = state_->weak_from_this()](Deferred<void>&) {
        if (const auto state = weak.lock()) state->cancel();
    });
    state_->ended = ended;
    state_->running = true;
    state_->startTime = state_->clock.seconds();
    state_->interval = interval;
    state_->lastBeat = now ? -1 : 0;
    if (now) {
        state_->beat();
    } else {
        state_->schedule();
    }
    return ended;
}

void LoopingCall::stop() {
    if (!state_->running) throw RuntimeError("Tried to stop a LoopingCall that was not running");
    const std::shared_ptr<State> state = state_;  // who hears of it may destroy this
    state->stop();
}

void LoopingCall::reset() {
    if (!state_->running) throw RuntimeError("Tried to reset a LoopingCall that was not running");
    if (!state_->next.active()) return;  // a call is under way
    state_->next.cancel();
    state_->startTime = state_->clock.seconds();
    state_->lastBeat = 0;
    state_->schedule();
}

bool LoopingCall::running() const noexcept { return state_->running; }

Duration LoopingCall::interval() const noexcept { return state_->interval; }

}  // namespace torsion::task
