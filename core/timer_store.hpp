#pragma once

#include <cstddef>
#include <cstdint>

#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>

namespace torsion {
class TimerHeap;
}

namespace torsion::detail {

class Timer;

/// Memory for the timers of one heap, in slabs of as many as a word has bits. The lowest free place of a slab is taken
/// first, and one slab is filled after the other: what is made together lies together, in whatever order its
/// predecessors went. A list of free blocks would hand them out in that order, each a cache miss, and the way to the
/// next another.
///
/// A slab with timers in it outlives the store, and goes with the last of them, on whatever thread that may be.
class TimerStore {
public:
    TimerStore() = default;
    TimerStore(const TimerStore&) = delete;
    TimerStore& operator=(const TimerStore&) = delete;
    ~TimerStore();

    /// @throws std::bad_alloc
    Timer* make(TimerHeap& heap, Duration deadline, Function<void()>&& function);

    static void destroy(Timer* timer) noexcept;

    /// How many slabs without timers are kept, of some 6 KiB each.
    static constexpr std::size_t kMostSpare = 2048;

private:
    struct Slab;

    void* take(std::uint8_t& place);
    static void giveBack(void* room, std::uint8_t place) noexcept;
    void moveToFront(Slab& slab) noexcept;
    void drop(Slab& slab) noexcept;

    Slab* front_ = nullptr;  ///< of a ring: first those with a free place, then the full ones
    std::size_t spare_ = 0;
};

}  // namespace torsion::detail
