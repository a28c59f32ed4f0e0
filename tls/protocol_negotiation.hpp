#pragma once

namespace torsion::ssl {

/// Ways to agree on an application protocol during the handshake (twisted.internet.ssl.ProtocolNegotiationSupport);
/// a set of flags.
enum class ProtocolNegotiationSupport : unsigned { none = 0, NPN = 1, ALPN = 2 };

constexpr ProtocolNegotiationSupport operator|(ProtocolNegotiationSupport a, ProtocolNegotiationSupport b) noexcept {
    return static_cast<ProtocolNegotiationSupport>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

constexpr ProtocolNegotiationSupport operator&(ProtocolNegotiationSupport a, ProtocolNegotiationSupport b) noexcept {
    return static_cast<ProtocolNegotiationSupport>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// What this build can do: ALPN (RFC 7301). NPN, its predecessor, left OpenSSL long ago and is never there (deviation
/// D21).
constexpr ProtocolNegotiationSupport protocolNegotiationMechanisms() noexcept {
    return ProtocolNegotiationSupport::ALPN;
}

}  // namespace torsion::ssl
