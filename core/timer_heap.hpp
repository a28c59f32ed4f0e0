#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <torsion/core/delayed_call.hpp>
#include <torsion/core/function.hpp>

namespace torsion {

/// The timers of one clock: a binary heap in which equal deadlines keep their order (D8). Shared by the reactor and the
/// Clock of tests.
///
/// Cancelling and putting off leave the heap as it is (DC-4, DC-7): an entry whose number is not its timer's any more
/// is skipped when it comes up, and all such are purged when they are more than fifty and more than half.
class TimerHeap {
public:
    /// @param now tells the time of the clock that these timers run on; called from reset()
    explicit TimerHeap(Function<Duration()> now) : now_(std::move(now)) {}
    TimerHeap(const TimerHeap&) = delete;
    TimerHeap& operator=(const TimerHeap&) = delete;
    ~TimerHeap() { clear(); }

    /// The time on this clock.
    Duration now() { return now_(); }

    DelayedCall add(Duration deadline, Function<void()> function);

    /// The earliest deadline.
    std::optional<Duration> next();

    /// Runs what is due at @p now, in order, but nothing that is added meanwhile (DC-2). Exceptions are logged.
    /// @return how many ran
    std::size_t runDue(Duration now);

    std::vector<DelayedCall> pending() const;

    /// Cancels all, also what the destruction of the functions adds.
    void clear();

private:
    friend class detail::Timer;

    struct Entry {
        Duration deadline;
        std::uint64_t number;
        detail::Timer* timer;  // counted
    };
    struct Later {
        bool operator()(const Entry& a, const Entry& b) const noexcept {
            return a.deadline != b.deadline ? a.deadline > b.deadline : a.number > b.number;
        }
    };

    void push(detail::Timer& timer);
    void noteStale();
    void dropStaleTop();
    Entry popTop();

    Function<Duration()> now_;
    std::vector<Entry> heap_;
    std::vector<Entry> due_;
    std::uint64_t nextNumber_ = 0;
    std::size_t stale_ = 0;
};

}  // namespace torsion
