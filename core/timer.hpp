#pragma once

#include <cstdint>
#include <utility>

#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/timer_store.hpp>

namespace torsion::detail {

/// One scheduled call, counted by its handles and by its entries in the heap. What cancel looks at lies together, at
/// the beginning: of many timers each is a cache miss, and so it is one only.
class Timer {
public:
    enum class State : std::uint8_t { pending, called, cancelled };

    Timer(TimerHeap& owner, Duration when, Function<void()>&& f) noexcept
        : heap(&owner), function(std::move(f)), deadline(when) {}

    void retain() noexcept { ++references; }
    void release() noexcept {
        if (--references == 0) TimerStore::destroy(this);
    }

    void cancel();
    void moveTo(Duration when);

    bool isPending() const noexcept { return state == State::pending; }

    TimerHeap* heap;           ///< null once that is gone
    std::uint64_t number = 0;  ///< of its live entry
    unsigned references = 0;
    State state = State::pending;
    std::uint8_t place = 0;  ///< in its slab; the store's
    Function<void()> function;
    Duration deadline;       ///< when it shall run
    Duration keyDeadline{};  ///< what its live entry says; not later than the above
};

}  // namespace torsion::detail
