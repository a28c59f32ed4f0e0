#pragma once

#include <cstdint>
#include <string>

namespace torsion::testing {

/// A seed for what is random in a test. It is written to stderr, so that a failure can be repeated:
/// `TORSION_SEED=number` in the environment gives that seed to everybody who asks.
/// @param what is decided by it, for the line that is written
std::uint32_t printedSeed(const std::string& what);

}  // namespace torsion::testing
