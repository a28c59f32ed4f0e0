#include <torsion/application/retry_policy.hpp>

#include <algorithm>
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
        // Bounded as Twisted does: 0 times the infinity that more would come to is not a number.
        const double growth = std::pow(factor, std::min(attempts, 100U));
        const double delay = std::chrono::duration<double>(initialDelay).count() * growth;
        const double seconds = std::fmin(delay, longest.count()) + jitter();
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    };
}

}  // namespace torsion::service
