#pragma once

#include <chrono>

namespace torsion::ssl {

/// How a client deals with the word of the server's authority, stapled to the handshake, on whether the certificate was
/// revoked (OCSP stapling: RFC 6066, 8; RFC 8446, 4.4.2.1).
enum class OCSPPolicy {
    off,        ///< does not ask for it, as Twisted
    ifStapled,  ///< asks, and verifies what comes; nothing is fine, unless the certificate itself demands it (RFC 7633)
    required,   ///< asks, and refuses a server that staples nothing
};

/// How far our clock and the responder's may be apart.
inline constexpr std::chrono::seconds kDefaultOCSPSkew = std::chrono::minutes(5);

/// How old a response may be that does not say when the next one comes.
inline constexpr std::chrono::seconds kMostOCSPAge = std::chrono::hours(24);

}  // namespace torsion::ssl
