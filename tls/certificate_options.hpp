#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/acceptable_ciphers.hpp>
#include <torsion/tls/dh_parameters.hpp>
#include <torsion/tls/key_log.hpp>
#include <torsion/tls/ocsp_policy.hpp>
#include <torsion/tls/ocsp_staple.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/revocation_list.hpp>
#include <torsion/tls/session_limits.hpp>
#include <torsion/tls/ticket_keys.hpp>
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
    friend class ServerNameMap;

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

    /// Refuses peers whose certificate one of the lists revokes, on whichever side; needs verification. Every issuer in
    /// @p scope must have a list here, and one that is not past its nextUpdate: otherwise the handshake fails, too.
    /// Newer lists come with a new recipe. A session that is resumed is not looked up again.
    Parameters& revocationLists(std::vector<RevocationList> lists, RevocationScope scope = RevocationScope::leaf);

    /// A client's: whether the server must prove by a stapled OCSP response that its certificate was not revoked. The
    /// response must be signed by the certificate's issuer, or by a responder to whom that has delegated it, and be
    /// good now, give or take @p skew. A session that is resumed has no staple, and needs none.
    /// @throws ValueError if @p skew is negative
    Parameters& requestOCSP(OCSPPolicy policy, std::chrono::seconds skew = kDefaultOCSPSkew);
    /// A server's: sends what @p staple holds at the moment to clients that ask.
    Parameters& ocspStaple(const OCSPStaple& staple);
    /// The same for a response, in DER, that will not be replaced. It is checked when the recipe is made.
    Parameters& ocspResponse(Bytes der);

    /// A client's: besides all else, a certificate between the server's and the root, both included, must have one of
    /// these public keys, given as Certificate::publicKeyPin() has them (RFC 7469; OkHttp and curl alike). Otherwise
    /// the handshake fails with PinMismatch. Pin a spare key too, or a lost key locks everybody out.
    ///
    /// With insecureOptionsForClientTLS they are all that is verified, and only the server's own certificate counts,
    /// for it alone is proven: so a self-signed server can be known by its key. Neither names nor dates count then.
    /// @throws ValueError that names a pin that is malformed, or if there is none
    Parameters& pinnedPublicKeys(const std::vector<std::string>& pins);

    /// Lets clients resume sessions of this recipe from a cache in this process. Default false. With a client's recipe,
    /// see optionsForClientTLS: there it and the next mean the same.
    ///
    /// A resumed session is not verified again: the peer is whoever it was the first time, and a certificate that has
    /// expired or was revoked since is not noticed until sessionTimeout. Early data (0-RTT) is neither offered nor
    /// taken.
    Parameters& enableSessions(bool enabled);
    /// Lets clients resume sessions by tickets, which need no memory here. Default false.
    Parameters& enableSessionTickets(bool enabled);
    /// A server's: seals tickets with @p keys, which other recipes and processes may share. Sets enableSessionTickets.
    /// Default: keys of this recipe's own, which rotate by themselves.
    Parameters& ticketKeys(const TicketKeys& keys);
    /// A server's: how many tickets a full handshake in TLS 1.3 ends with; a client uses each for one connection. A
    /// resumed one ends with one. 0 means that nobody resumes in TLS 1.3. Default kDefaultNumTickets. @throws
    /// ValueError above kMostTickets
    Parameters& numTickets(std::size_t count);
    /// How many sessions are kept; beyond that the oldest go. Default kDefaultServerSessionCacheSize or
    /// kDefaultClientSessionCacheSize. @throws ValueError for 0, or above kMostSessions
    Parameters& sessionCacheSize(std::size_t count);
    /// How long a session can be resumed, on either side. Default kDefaultSessionTimeout.
    /// @throws ValueError below a second, or above seven days (RFC 8446, 4.6.1)
    Parameters& sessionTimeout(Duration timeout);

    /// Writes the secrets of all connections to @p log, so that a recording of them can be read. Default: to nowhere.
    Parameters& keyLog(const KeyLog& log);
    /// The same for the file that the environment variable SSLKEYLOGFILE names at this moment, if it is set; see
    /// KeyLog::fromEnvironment. Not done unasked: a variable should not make a program disclose what it was not written
    /// to disclose.
    Parameters& keyLogFromEnvironment();

    /// How long the peer may take for the handshake. @throws ValueError unless positive
    Parameters& handshakeTimeout(Duration timeout);
    /// How long the peer may take to answer our close_notify. @throws ValueError unless positive
    Parameters& closeTimeout(Duration timeout);

private:
    friend class CertificateDirectory;
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
    std::optional<std::vector<RevocationList>> revocationLists_;
    RevocationScope revocationScope_ = RevocationScope::leaf;
    OCSPPolicy ocspPolicy_ = OCSPPolicy::off;
    std::chrono::seconds ocspSkew_ = kDefaultOCSPSkew;
    std::optional<OCSPStaple> ocspStaple_;
    std::optional<Bytes> ocspResponse_;
    std::vector<std::string> pins_;
    bool enableSessions_ = false;
    bool enableSessionTickets_ = false;
    std::optional<TicketKeys> ticketKeys_;
    std::optional<std::size_t> numTickets_;
    std::optional<std::size_t> sessionCacheSize_;
    Duration sessionTimeout_ = kDefaultSessionTimeout;
    std::optional<KeyLog> keyLog_;
    Duration handshakeTimeout_ = kDefaultHandshakeTimeout;
    Duration closeTimeout_ = kDefaultCloseTimeout;
};

template <std::convertible_to<Certificate>... More>
CertificateOptions PrivateCertificate::options(const Certificate& authority, const More&... more) const {
    return options(std::vector<Certificate>{authority, more...});
}

}  // namespace torsion::ssl
