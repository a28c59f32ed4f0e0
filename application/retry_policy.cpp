#include <torsion/application/retry_policy.hpp>

#include <cmath>
#include <random>

namespace torsion::service {

RetryPolicy backoffPolicy(Duration initialDelay, Duration maximumDelay, double factor, Jitter jitter) {
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
