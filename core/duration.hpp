#pragma once

#include <chrono>

namespace torsion {

/// A length of time, or a point on a reactor's own clock (time since an epoch of that clock's choosing).
/// Twisted uses float seconds; every std::chrono duration of integer representation converts to this one.
using Duration = std::chrono::nanoseconds;

/// @p a + @p b without overflow, for b not negative: "for ever" may be written Duration::max().
constexpr Duration saturatedSum(Duration a, Duration b) noexcept {
    return a > Duration::max() - b ? Duration::max() : a + b;
}

}  // namespace torsion
