#include <torsion/testing/seed.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

#include <torsion/core/error.hpp>

namespace torsion::testing {

std::uint32_t printedSeed(const std::string& what) {
    std::uint32_t seed = 0;
    if (const char* const given = std::getenv("TORSION_SEED")) {
        char* end = nullptr;
        errno = 0;
        const unsigned long long number = std::strtoull(given, &end, 10);
        const bool fits = number <= std::numeric_limits<std::uint32_t>::max();
        if (*given < '0' || *given > '9' || *end != '\0' || errno != 0 || !fits)
            throw ValueError(std::string("TORSION_SEED is a number from 0 to 4294967295, not ") + given);
        seed = static_cast<std::uint32_t>(number);
    } else {
        seed = std::random_device()();
    }
    std::fprintf(stderr, "seed of %s: %lu (to repeat it: TORSION_SEED=%lu)\n", what.c_str(),
                 static_cast<unsigned long>(seed), static_cast<unsigned long>(seed));
    return seed;
}

}  // namespace torsion::testing
