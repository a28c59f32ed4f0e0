#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

/// How an in-memory connection cuts what it delivers.
namespace torsion::testing {

/// Told how many octets are there (at least one), says how many come now. Zero, or more than there are: see
/// coalesced().
using Segmentation = std::function<std::size_t(std::size_t available)>;

namespace segmentation {

/// All that is there.
Segmentation whole();

/// At most @p octets at a time. @throws ValueError for zero
Segmentation atMost(std::size_t octets);

/// One octet at a time.
inline Segmentation byteByByte() { return atMost(1); }

/// Any number, from a generator seeded with @p seed: print it, so that a failure can be repeated.
Segmentation random(std::uint32_t seed);

/// Nothing until nothing else happens on the connection, then all: what came in many writes comes in one piece.
Segmentation coalesced();

}  // namespace segmentation
}  // namespace torsion::testing
