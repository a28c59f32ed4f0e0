#include <torsion/core/ticks.hpp>

#include <limits>

namespace torsion::detail {

TickScale TickScale::measured() noexcept {
    static const std::uint64_t scale = [] {
        using Clock = std::chrono::steady_clock;
        constexpr std::chrono::microseconds kLongEnough(200);
        const Clock::time_point start = Clock::now();
        const std::uint64_t first = ticks();
        while (Clock::now() - start < kLongEnough) {
        }
        const std::chrono::duration<double, std::micro> passed = Clock::now() - start;
        const auto counted = static_cast<double>(ticks() - first);
        return static_cast<std::uint64_t>(passed.count() / counted * static_cast<double>(std::uint64_t{1} << kShift));
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
