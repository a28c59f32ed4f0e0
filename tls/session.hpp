#pragma once

#include <memory>
#include <optional>
#include <string>

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

    /// The version in OpenSSL's words, such as "TLSv1.3"; empty before it is agreed on.
    std::string version() const;

    /// The cipher in OpenSSL's words, such as "TLS_AES_256_GCM_SHA384"; empty before it is agreed on.
    std::string cipher() const;

private:
    ssl_st* native_;
    Role role_;
};

}  // namespace torsion::ssl
