#include <torsion/core/ticks.hpp>

#include <limits>

namespace torsion::detail {

namespace {

using Clock = std::chrono::steady_clock;

/// Both clocks at one moment: of a few tries, the one that was least disturbed.
struct Moment {
    Moment() noexcept {
        std::uint64_t narrowest = std::numeric_limits<std::uint64_t>::max();
        for (int i = 0; i < 5; ++i) {
            const std::uint64_t before = ticks();
            const Clock::time_point now = Clock::now();
            const std::uint64_t width = ticksSince(before);
            if (width >= narrowest) continue;
            narrowest = width;
            tick = before + width / 2;
            time = now;
        }
    }

    std::uint64_t tick = 0;
    Clock::time_point time;
};

}  // namespace

TickScale TickScale::measured() noexcept {
    static const std::uint64_t scale = [] {
        constexpr std::chrono::microseconds kLongEnough(200);
        const Moment first;
        while (Clock::now() - first.time < kLongEnough) {
        }
        const Moment last;
        const std::chrono::duration<double, std::micro> passed = last.time - first.time;
        const auto counted = static_cast<double>(std::max<std::uint64_t>(last.tick - first.tick, 1));
        const double perTick = passed.count() / counted * static_cast<double>(std::uint64_t{1} << kShift);
        return std::max<std::uint64_t>(static_cast<std::uint64_t>(perTick), 1);
    }();
    return TickScale(scale);
}

std::uint64_t TickScale::ticksIn(std::chrono::nanoseconds span) const noexcept {
    const double wanted = static_cast<double>(span.count()) / 1000.0 *
                          (static_cast<double>(std::uint64_t{1} << kShift) / static_cast<double>(scale_));
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    return wanted < static_cast<double>(kMost) ? static_cast<std::uint64_t>(wanted) : kMost;
}

}  // namespace torsion::detail
