#pragma once

#include <algorithm>
#include <chrono>

namespace torsion::ssl {

/// One year from now: what Twisted gives the certificates that it makes.
inline constexpr std::chrono::seconds kDefaultCertificateLifetime = std::chrono::hours(24 * 365);

/// From when to when a new certificate is valid, in whole seconds of the system's clock.
class Validity {
public:
    using Clock = std::chrono::system_clock;

    /// From now on, and at most until the clock ends (the year 2262).
    explicit(false) Validity(std::chrono::seconds lifetime = kDefaultCertificateLifetime) : from_(Clock::now()) {
        const auto longest = std::chrono::floor<std::chrono::seconds>(Clock::time_point::max() - from_);
        until_ = from_ + std::clamp(lifetime, -longest, longest);
    }
    Validity(Clock::time_point from, Clock::time_point until) : from_(from), until_(until) {}

    Clock::time_point from() const noexcept { return from_; }
    Clock::time_point until() const noexcept { return until_; }

private:
    Clock::time_point from_;
    Clock::time_point until_;
};

}  // namespace torsion::ssl
