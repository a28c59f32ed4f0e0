#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <torsion/core/delayed_call.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/timer_store.hpp>

namespace torsion {

/// The timers of one clock, in which equal deadlines keep their order (D8). Shared by the reactor and the Clock of
/// tests.
///
/// What is added lies in an inbox, in the order of adding, until somebody asks for the earliest deadline or runs what
/// is due. So a timer that is cancelled before the loop waits again has cost no sorting, and many at once are sorted
/// together. From then on it lies in a heap of four branches: cancelling and putting off leave that as it is (DC-4,
/// DC-7). An entry whose number is not its timer's any more is skipped when it comes up, and all such are purged when
/// they are more than fifty and more than half; of the inbox, when more than three quarters.
class TimerHeap {
public:
    /// @param now tells the time of the clock that these timers run on; called from reset()
    explicit TimerHeap(Function<Duration()> now) : now_(std::move(now)) {}
    TimerHeap(const TimerHeap&) = delete;
    TimerHeap& operator=(const TimerHeap&) = delete;
    ~TimerHeap() { clear(); }

    /// The time on this clock.
    Duration now() { return now_(); }

    DelayedCall add(Duration deadline, Function<void()>&& function);

    /// Whether there is surely no timer: much cheaper than next().
    bool empty() const noexcept { return inbox_.empty() && heap_.empty(); }

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
        detail::Timer* timer;  ///< counted, but for a hole in the inbox

        bool operator<(const Entry& other) const noexcept {
            return deadline != other.deadline ? deadline < other.deadline : number < other.number;
        }
    };

    void post(detail::Timer& timer);
    bool forget(detail::Timer& timer);
    bool isHole(std::size_t place) const noexcept;
    void closeHoles();
    void emptyInbox(std::optional<Duration> now);
    void sortEarly(std::vector<Entry>& room);
    void takeDue(Duration now, std::vector<Entry>& due);

    void push(detail::Timer& timer);
    void siftUp(std::size_t place) noexcept;
    void siftDown(std::size_t place) noexcept;
    void makeHeap() noexcept;
    void noteStale();
    void dropStaleTop();
    Entry popTop() noexcept;

    detail::TimerStore store_;
    Function<Duration()> now_;
    std::vector<Entry> inbox_;          ///< numbered one after the other, so that a timer finds its entry
    std::uint64_t inboxNumber_ = 0;     ///< of the first in the inbox; of the next to come if that is empty
    std::uint64_t nextNumber_ = 0;      ///< of the next to come
    std::vector<std::uint64_t> holes_;  ///< a bit for each of the inbox; the last ones may be missing
    std::size_t holeCount_ = 0;
    std::vector<Entry> heap_;
    std::size_t stale_ = 0;
    std::vector<Entry> early_;  ///< empty, but for its room; so is the next
    std::vector<Entry> due_;
};

}  // namespace torsion
