#pragma once

#include <functional>

#include <torsion/core/duration.hpp>

namespace torsion::service {

/// How long to wait after so many failed attempts in a row (from 1) before the next one.
using RetryPolicy = std::function<Duration(unsigned attempts)>;

/// A number from 0 to below 1; for tests to replace.
using Jitter = std::function<double()>;

inline constexpr Duration kDefaultInitialDelay = std::chrono::seconds(1);
inline constexpr Duration kDefaultMaximumDelay = std::chrono::seconds(60);
inline constexpr double kDefaultFactor = 1.5;

/// Waits longer each time, up to a maximum, and up to a second more by chance, so that the clients of a server that
/// comes back do not all come at once (twisted.application.internet.backoffPolicy):
/// min(initialDelay * factor^attempts, maximumDelay) + jitter seconds.
RetryPolicy backoffPolicy(Duration initialDelay = kDefaultInitialDelay, Duration maximumDelay = kDefaultMaximumDelay,
                          double factor = kDefaultFactor, Jitter jitter = {});

}  // namespace torsion::service
