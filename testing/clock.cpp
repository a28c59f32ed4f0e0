#include <torsion/testing/clock.hpp>

#include <torsion/core/error.hpp>

namespace torsion::task {

Clock::Clock() : timers_([this] { return now_; }), turn_(*this) {}

Clock::~Clock() { clear(); }

DelayedCall Clock::callLater(Duration delay, Function<void()> function) {
    if (delay < Duration::zero()) throw ValueError("callLater: the delay is negative");
    if (!function) throw ValueError("callLater: there is no function to call");
    return timers_.add(saturatedSum(now_, delay), std::move(function));
}

bool Clock::passTurn(Function<void()> work) {
    if (inTurn_) throw RuntimeError("Clock::passTurn was called from inside a turn");
    struct InTurn {
        explicit InTurn(Clock& c) noexcept : clock(c) { clock.inTurn_ = true; }
        ~InTurn() {
            clock.turn_.end();
            clock.inTurn_ = false;
        }
        Clock& clock;
    };
    const bool posted = turn_.busy();
    std::size_t ran = 0;
    {
        const InTurn inTurn(*this);
        turn_.begin();
        ran = timers_.runDue(now_);
        if (work) work();
    }
    return posted || ran != 0 || turn_.busy();
}

void Clock::advance(Duration amount) {
    if (amount < Duration::zero()) throw ValueError("Clock::advance: time does not run backwards");
    now_ = saturatedSum(now_, amount);
    std::size_t turns = 0;
    const auto count = [&turns] {
        if (++turns > kMaxTurns) throw RuntimeError("Clock::advance: there is always something due");
    };
    if (inTurn_) {
        while (timers_.runDue(now_) != 0) count();
        return;
    }
    while (passTurn()) count();
}

void Clock::clear() noexcept {
    // What is destroyed may schedule again.
    while (timers_.next() || turn_.busy()) {
        timers_.clear();
        turn_.clear();
    }
}

}  // namespace torsion::task
