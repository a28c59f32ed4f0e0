#pragma once

#include <cstddef>
#include <initializer_list>

#include <torsion/core/function.hpp>
#include <torsion/core/reactor_time.hpp>
#include <torsion/core/timer_heap.hpp>
#include <torsion/core/turn.hpp>

namespace torsion::task {

/// A clock that stands still until a test moves it (twisted.internet.task.Clock), with the Turn that goes with it:
/// what a reactor is to the code under test, without the I/O. Belongs to one thread; must outlive what uses it.
class Clock : public ReactorTime {
public:
    Clock();
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    ~Clock() override;

    /// The time, which begins at zero.
    Duration seconds() const override { return now_; }

    DelayedCall callLater(Duration delay, Function<void()> function) override;

    std::vector<DelayedCall> getDelayedCalls() const override { return timers_.pending(); }

    /// Moves the time on by @p amount, then passes turns until nothing is due or posted any more. So calls that are
    /// added meanwhile and are due run, too. An exception from one is logged, as in a reactor. Called from inside a
    /// turn, it only moves the time and runs what is due.
    /// @throws ValueError if @p amount is negative; RuntimeError if there is no end after kMaxTurns
    void advance(Duration amount);

    /// advance() by each of @p amounts in turn.
    template <class Amounts = std::initializer_list<Duration>>
    void pump(const Amounts& amounts) {
        for (const Duration amount : amounts) advance(amount);
    }

    /// Passes one turn, as a reactor does: what was posted, what is due, @p work (the I/O), what stands at the end.
    /// @return whether something was posted, due or left for the next turn
    bool passTurn(Function<void()> work = nullptr);

    bool inTurn() const noexcept { return inTurn_; }

    /// What the transports of a test share.
    Turn& turn() noexcept { return turn_; }

    /// Destroys all timers and all that is posted, as the end of a reactor does.
    void clear() noexcept;

    /// How many turns advance() passes at most.
    static constexpr std::size_t kMaxTurns = 1000000;

private:
    Duration now_{};
    mutable TimerHeap timers_;
    Turn turn_;
    bool inTurn_ = false;
};

}  // namespace torsion::task
