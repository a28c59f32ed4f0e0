#pragma once

// Private. Not installed.

#include <memory>

#include <torsion/core/function.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion::service {

/// Calls @p ended once when the connection of @p protocol has ended: right after its connectionLost, from inside of
/// that. A protocol that has cancelled its scope itself is looked at every kLookAgain from then on.
/// @param clock must outlive the connection
void whenConnectionEnds(ReactorTime& clock, const std::shared_ptr<Protocol>& protocol, Function<void()> ended);

inline constexpr Duration kLookAgain = std::chrono::milliseconds(100);

}  // namespace torsion::service
