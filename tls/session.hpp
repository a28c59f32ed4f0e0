#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/core/bytes.hpp>
#include <torsion/core/context_factory.hpp>

struct ssl_st;  // OpenSSL's SSL

namespace torsion::ssl {

/// The TLS state of one connection: owns OpenSSL's object. Made by a ContextFactory, run by an Engine.
class Session {
public:
    /// Takes over @p native.
    Session(ssl_st* native, Role role) noexcept : native_(native), role_(role) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    ssl_st* native() const noexcept { return native_; }
    Role role() const noexcept { return role_; }

    /// The peer's certificate, verified if the recipe asks for that; none before, or if it sent none. Include
    /// certificate.hpp to call it.
    std::optional<Certificate> peerCertificate() const;

    /// The ALPN protocol agreed on; none before, or without agreement.
    std::optional<std::string> negotiatedProtocol() const;

    /// The host name that the client asked for (SNI): on a server as it was sent; none before, or if it sent none.
    std::optional<std::string> serverName() const;

    /// The version in OpenSSL's words, such as "TLSv1.3"; empty before it is agreed on.
    std::string version() const;

    /// The cipher in OpenSSL's words, such as "TLS_AES_256_GCM_SHA384"; empty before it is agreed on.
    std::string cipher() const;

    /// Whether an earlier session was resumed; false before the handshake is done.
    bool reused() const;

    /// See SSLTransport::exportKeyingMaterial. The limits hold for both versions of TLS and all ciphers.
    Bytes exportKeyingMaterial(std::string_view label, std::size_t size,
                               std::optional<BytesView> context = std::nullopt) const;
    static constexpr std::size_t kMostKeyingMaterial = 255 * 32;  ///< what HKDF makes with SHA-256 (RFC 5869, 2.3)
    static constexpr std::size_t kLongestLabel = 249;             ///< what is left of 255 behind "tls13 "
    static constexpr std::size_t kLongestContext = 512;           ///< OpenSSL takes about as much in TLS 1.2

    /// See SSLTransport::channelBinding.
    Bytes channelBinding(std::string_view type) const;

private:
    bool handshakeDone() const;
    void requireHandshake(const char* what) const;
    Bytes exporterBinding() const;
    Bytes endPointBinding() const;

    ssl_st* native_;
    Role role_;
};

}  // namespace torsion::ssl
