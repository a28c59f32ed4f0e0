#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace torsion::detail {

/// A count that rises evenly with time, from the processor where that is at hand: a reactor reads it twice a turn, and
/// the system's clock would cost ten times as many instructions. Only differences mean something; see TickScale.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    std::uint64_t count;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// How many have gone by since @p begin. None if the count seems to have gone back: the thread has moved to a processor
/// that counts apart.
inline std::uint64_t ticksSince(std::uint64_t begin) noexcept {
    const std::uint64_t passed = ticks() - begin;
    return static_cast<std::int64_t>(passed) < 0 ? 0 : passed;
}

/// How long ticks are.
class TickScale {
public:
    /// Measured once a process, by the first who asks, in about a fifth of a millisecond.
    static TickScale measured() noexcept;

    /// Whole microseconds in @p count ticks; of more than can be told, which is an hour or so, the most.
    std::uint64_t microseconds(std::uint64_t count) const noexcept {
        return (std::min(count, most_) * scale_) >> kShift;
    }

    /// How many ticks @p span takes; the largest number if that is too many.
    std::uint64_t ticksIn(std::chrono::nanoseconds span) const noexcept;

private:
    static constexpr unsigned kShift = 32;

    explicit TickScale(std::uint64_t scale) noexcept : scale_(scale), most_(~std::uint64_t{0} / scale) {}

    std::uint64_t scale_;  ///< microseconds a tick, times 2^kShift
    std::uint64_t most_;   ///< so many times scale_ fit in 64 bits
};

}  // namespace torsion::detail
