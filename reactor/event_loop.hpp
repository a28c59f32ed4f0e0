#pragma once

// Private: libevent behind a small fence. Not installed.

#include <event2/event.h>
#include <event2/event_struct.h>

#include <memory>
#include <optional>
#include <vector>

#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>

namespace torsion::detail {

/// One event_base with what every reactor needs of it: a descriptor that wakes it, one timer, signals.
class EventLoop {
public:
    EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    event_base* base() const noexcept { return base_.get(); }

    /// Waits for events and runs their callbacks: until @p deadline at the longest (none: until something happens), not
    /// at all if @p busy.
    void wait(std::optional<Duration> deadline, bool busy);

    /// Makes wait() return. From any thread.
    void wakeUp() noexcept;

    /// The monotonic time.
    static Duration now() noexcept;

    /// Calls @p handler, in wait(), whenever the signal @p number comes.
    void addSignal(int number, Function<void()> handler);
    void removeSignals();

private:
    struct BaseDeleter {
        void operator()(event_base* base) const noexcept { event_base_free(base); }
    };
    struct Signal {
        event native;
        Function<void()> handler;
    };

    void arm(Duration deadline);
    void close() noexcept;

    std::unique_ptr<event_base, BaseDeleter> base_;
    int wakeDescriptor_ = -1;
    int timerDescriptor_ = -1;
    event wakeEvent_;
    event timerEvent_;
    std::optional<Duration> armed_;  ///< when the timer will wake us; not later than the deadline
    std::vector<std::unique_ptr<Signal>> signals_;
};

}  // namespace torsion::detail
