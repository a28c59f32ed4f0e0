#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/acceptable_ciphers.hpp>
#include <torsion/tls/dh_parameters.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/timeouts.hpp>
#include <torsion/tls/tls_version.hpp>
#include <torsion/tls/trust_root.hpp>

namespace torsion::ssl {

class Context;

/// A server's recipe for TLS (twisted.internet.ssl.CertificateOptions): who we are, whom we demand at the other end,
/// and what we are ready to speak. All is checked, and OpenSSL's context built, in the constructor; from then on it is
/// immutable and may be shared by threads. Cheap to copy: copies share the context.
///
///     CertificateOptions(certificate)
///     CertificateOptions(CertificateOptions::Parameters(certificate).acceptableProtocols({"h2", "http/1.1"}))
///
/// It cannot serve a client, for it knows no host name to verify: optionsForClientTLS makes recipes for those.
///
/// The defaults are Twisted's: TLS 1.2 and above, the server's preference of ciphers, no compression, no renegotiation,
/// no session cache and no tickets.
class CertificateOptions final : public ContextFactory {
public:
    class Parameters;

    /// A recipe for a server that shows @p certificate and asks clients for none.
    explicit CertificateOptions(const PrivateCertificate& certificate);

    /// @throws ValueError, TypeError for parameters that contradict each other or cannot be honoured
    /// @throws VerifyError if key and certificate do not belong together
    /// @throws ssl::Error if OpenSSL refuses them for another reason
    explicit CertificateOptions(const Parameters& parameters);

    std::shared_ptr<const ContextFactory> share() const override;

    /// @throws TypeError for a client, and for a server that has no certificate
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override;

    Duration handshakeTimeout() const override { return handshakeTimeout_; }
    Duration closeTimeout() const override { return closeTimeout_; }

    /// For this copy. @throws ValueError unless positive
    CertificateOptions& setHandshakeTimeout(Duration timeout);
    CertificateOptions& setCloseTimeout(Duration timeout);

private:
    std::shared_ptr<const Context> context_;
    Duration handshakeTimeout_;
    Duration closeTimeout_;
};

/// What Python gives CertificateOptions as keyword arguments. Each setter returns the object, so that they chain; what
/// is not set has its default. Combinations are checked when the recipe is made.
class CertificateOptions::Parameters {
public:
    Parameters() = default;

    /// Sets privateKey, certificate and extraCertChain.
    explicit Parameters(const PrivateCertificate& certificate);

    /// Our own key; needs certificate.
    Parameters& privateKey(const KeyPair& key);
    /// Our own certificate; needs privateKey.
    Parameters& certificate(const Certificate& certificate);
    /// The certificates between ours and a root, the next one first; needs both above.
    Parameters& extraCertChain(std::vector<Certificate> chain);

    /// The group for finite-field Diffie-Hellman; without it there is none in TLS 1.2 and before.
    Parameters& dhParameters(const DiffieHellmanParameters& parameters);
    /// Default: AcceptableCiphers().
    Parameters& acceptableCiphers(const AcceptableCiphers& ciphers);

    /// Raises the oldest version spoken, if that is above the default of TLS 1.2; never lowers it.
    Parameters& raiseMinimumTo(TLSVersion version);
    /// Sets the oldest version spoken, at your own risk. Below TLS 1.2 OpenSSL's security level is set to 0 for this
    /// recipe only: the old versions need SHA-1 signatures. Weak keys and signatures in certificates then pass, too.
    Parameters& insecurelyLowerMinimumTo(TLSVersion version);
    /// Sets the newest version spoken; that version itself is spoken, too (deviation D1). Below the minimum by default,
    /// it becomes the minimum.
    Parameters& lowerMaximumSecurityTo(TLSVersion version);

    /// The application protocols that we speak, best first (ALPN). Empty means none is negotiated.
    Parameters& acceptableProtocols(std::vector<std::string> protocols);

    /// Demands a certificate of the peer that is anchored in @p trustRoot. Excludes the three after it.
    Parameters& trustRoot(const TrustRoot& trustRoot);
    /// The old way: asks for a certificate and verifies it with caCerts.
    Parameters& verify(bool enabled);
    Parameters& caCerts(std::vector<Certificate> authorities);
    /// The old way: whether a peer may come without a certificate. Default true, which has it refused.
    Parameters& requireCertificate(bool required);
    /// How many certificates may stand between the peer's and the root. Default 9. @throws ValueError if negative
    Parameters& verifyDepth(int depth);

    /// Lets clients resume sessions of this recipe from a cache in this process. Default false.
    Parameters& enableSessions(bool enabled);
    /// Lets clients resume sessions by tickets. Default false.
    Parameters& enableSessionTickets(bool enabled);

    /// How long the peer may take for the handshake. @throws ValueError unless positive
    Parameters& handshakeTimeout(Duration timeout);
    /// How long the peer may take to answer our close_notify. @throws ValueError unless positive
    Parameters& closeTimeout(Duration timeout);

private:
    friend class CertificateOptions;
    friend class Context;
    friend class ClientRecipe;

    std::optional<KeyPair> privateKey_;
    std::optional<Certificate> certificate_;
    std::optional<std::vector<Certificate>> extraCertChain_;
    std::optional<DiffieHellmanParameters> dhParameters_;
    std::optional<AcceptableCiphers> acceptableCiphers_;
    std::optional<TLSVersion> raiseMinimumTo_;
    std::optional<TLSVersion> insecurelyLowerMinimumTo_;
    std::optional<TLSVersion> lowerMaximumSecurityTo_;
    std::vector<std::string> acceptableProtocols_;
    std::optional<TrustRoot> trustRoot_;
    std::optional<bool> verify_;
    std::optional<std::vector<Certificate>> caCerts_;
    std::optional<bool> requireCertificate_;
    int verifyDepth_ = 9;
    bool enableSessions_ = false;
    bool enableSessionTickets_ = false;
    Duration handshakeTimeout_ = kDefaultHandshakeTimeout;
    Duration closeTimeout_ = kDefaultCloseTimeout;
};

template <std::convertible_to<Certificate>... More>
CertificateOptions PrivateCertificate::options(const Certificate& authority, const More&... more) const {
    return options(std::vector<Certificate>{authority, more...});
}

}  // namespace torsion::ssl
