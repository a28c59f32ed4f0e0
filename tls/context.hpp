#pragma once

// Private to the tls folder.

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/identity.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// OpenSSL's context for one side, and what goes with it. Immutable after construction (decision 6), since OpenSSL
/// reads it from every connection and perhaps from several threads.
class Context {
public:
    using Parameters = CertificateOptions::Parameters;

    /// @param identity whom the peer must be; null on a server, and on a client that verifies nothing
    Context(const Parameters& parameters, Role role, const Identity* identity);

    Role role() const noexcept { return role_; }
    bool hasCertificate() const noexcept { return SSL_CTX_get0_certificate(native_.get()) != nullptr; }
    SSL_CTX* native() const noexcept { return native_.get(); }

    /// Our ALPN list as it stands on the wire.
    const std::string& protocols() const noexcept { return protocols_; }

    /// A new connection in the context's role. @param serverName goes into SNI unless it is empty
    std::unique_ptr<Session> newSession(const SessionOptions& options, const std::string& serverName) const;

private:
    void setVersions(const Parameters& parameters);
    void setCiphers(const Parameters& parameters);
    void setBounds();
    void setFixedOptions(const Parameters& parameters);
    void setOwnCertificate(const Parameters& parameters);
    void setVerification(const Parameters& parameters, const Identity* identity);
    void setPeerChecks(const Parameters& parameters, bool verifyChain);
    void setStaple(const Parameters& parameters);
    void setSessions(const Parameters& parameters);
    void setServerSessions(const Parameters& parameters);
    void setClientSessions(const Parameters& parameters);
    std::string sessionPolicy(const Parameters& parameters) const;
    void checkUsable() const;

    Role role_;
    TLSVersion minimum_ = TLSVersion::TLSv1_2;
    TLSVersion maximum_ = TLSVersion::TLSv1_3;
    std::string protocols_;  // ALPN, as it stands on the wire
    ContextPointer native_;
};

}  // namespace torsion::ssl
