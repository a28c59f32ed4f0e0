#include <torsion/testing/segmentation.hpp>

#include <algorithm>
#include <random>

#include <torsion/core/error.hpp>

namespace torsion::testing::segmentation {

Segmentation whole() {
    return [](std::size_t available) { return available; };
}

Segmentation atMost(std::size_t octets) {
    if (octets == 0) throw ValueError("segmentation: a segment has at least one octet");
    return [octets](std::size_t available) { return std::min(octets, available); };
}

Segmentation random(std::uint32_t seed) {
    return [engine = std::mt19937(seed)](std::size_t available) mutable {
        // Mostly short pieces: that is where protocols go wrong.
        const std::size_t most = engine() % 2 == 0 ? std::min<std::size_t>(available, 8) : available;
        return 1 + static_cast<std::size_t>(engine()) % most;
    };
}

Segmentation coalesced() {
    return [](std::size_t) { return std::size_t{0}; };
}

}  // namespace torsion::testing::segmentation
