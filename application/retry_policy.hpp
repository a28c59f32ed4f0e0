#pragma once

#include <cmath>
#include <functional>
#include <random>

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
inline RetryPolicy backoffPolicy(Duration initialDelay = kDefaultInitialDelay,
                                 Duration maximumDelay = kDefaultMaximumDelay, double factor = kDefaultFactor,
                                 Jitter jitter = {}) {
    if (!jitter) {
        jitter = [engine = std::mt19937(std::random_device()())]() mutable {
            return std::uniform_real_distribution<double>(0, 1)(engine);
        };
    }
    return [=](unsigned attempts) {
        const std::chrono::duration<double> longest = maximumDelay;
        const double delay = std::chrono::duration<double>(initialDelay).count() * std::pow(factor, attempts);
        const double seconds = std::fmin(delay, longest.count()) + jitter();  // pow may well be infinite
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    };
}

}  // namespace torsion::service
