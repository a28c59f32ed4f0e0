#pragma once

#include <cstddef>

#include <torsion/core/duration.hpp>

namespace torsion::ssl {

/// How long a session can be resumed: OpenSSL's default.
inline constexpr Duration kDefaultSessionTimeout = std::chrono::hours(2);
inline constexpr Duration kLongestSessionTimeout = std::chrono::hours(7 * 24);  ///< RFC 8446, 4.6.1

/// How many sessions a server's recipe keeps for enableSessions: OpenSSL's default, some tens of megabytes when full.
inline constexpr std::size_t kDefaultServerSessionCacheSize = 20480;
/// How many a client's recipe keeps, which are all of one host.
inline constexpr std::size_t kDefaultClientSessionCacheSize = 16;
inline constexpr std::size_t kMostSessions = 1U << 24;

/// How many tickets a full handshake of TLS 1.3 ends with: OpenSSL's default.
inline constexpr std::size_t kDefaultNumTickets = 2;
/// A record each, which the server has to send behind every full handshake.
inline constexpr std::size_t kMostTickets = 16;

}  // namespace torsion::ssl
