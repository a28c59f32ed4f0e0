#pragma once

#include <chrono>

#include <torsion/core/duration.hpp>

namespace torsion::ssl {

/// How long a peer may take for the handshake, unless told otherwise.
inline constexpr Duration kDefaultHandshakeTimeout = std::chrono::seconds(30);

/// How long a peer may take to answer our close_notify, unless told otherwise. Twisted waits for ever (deviation D3).
inline constexpr Duration kDefaultCloseTimeout = std::chrono::seconds(5);

/// Returns @p timeout. @throws ValueError that names @p what unless it is positive
Duration checkedTimeout(Duration timeout, const char* what);

}  // namespace torsion::ssl
