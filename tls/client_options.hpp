#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/trust_root.hpp>

namespace torsion::ssl {

/// A client's recipe for TLS with one host, made by optionsForClientTLS. Immutable, cheap to copy, may be shared by
/// threads.
class ClientTLSOptions final : public ContextFactory {
public:
    /// The host whose identity is verified: lower case, as A-labels ("xn--..."), without a final dot.
    const std::string& hostname() const noexcept { return hostname_; }

    std::shared_ptr<const ContextFactory> share() const override;

    /// @throws TypeError for a server: CertificateOptions makes recipes for those
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override;

    Duration handshakeTimeout() const override { return handshakeTimeout_; }
    Duration closeTimeout() const override { return closeTimeout_; }

    /// For this copy. @throws ValueError unless positive
    ClientTLSOptions& setHandshakeTimeout(Duration timeout);
    ClientTLSOptions& setCloseTimeout(Duration timeout);

private:
    friend class ClientRecipe;
    ClientTLSOptions() = default;

    std::string hostname_;
    std::string serverName_;  // what SNI says; empty for an IP address
    std::shared_ptr<const Context> context_;
    Duration handshakeTimeout_{};
    Duration closeTimeout_{};
};

/// A client's recipe for TLS that verifies nobody: whoever sits in between can read and change everything. Made by
/// insecureOptionsForClientTLS.
class InsecureClientOptions final : public ContextFactory {
public:
    std::shared_ptr<const ContextFactory> share() const override;

    /// @throws TypeError for a server
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override;

    Duration handshakeTimeout() const override { return handshakeTimeout_; }
    Duration closeTimeout() const override { return closeTimeout_; }

    /// For this copy. @throws ValueError unless positive
    InsecureClientOptions& setHandshakeTimeout(Duration timeout);
    InsecureClientOptions& setCloseTimeout(Duration timeout);

private:
    friend class ClientRecipe;
    InsecureClientOptions() = default;

    std::string serverName_;
    std::shared_ptr<const Context> context_;
    Duration handshakeTimeout_{};
    Duration closeTimeout_{};
};

/// The recipe of a client that talks to @p hostname and to nobody else (twisted.internet.ssl.optionsForClientTLS).
///
/// The handshake succeeds only if the server shows a certificate anchored in @p trustRoot whose subjectAltName carries
/// @p hostname (RFC 9525; the common name does not count). A DNS name is also sent as SNI (RFC 6066); an IP address
/// is looked for among the certificate's addresses.
///
/// @param hostname a DNS name or an address. Labels beyond ASCII (UTF-8) become A-labels, "xn--...", by IDNA2008 and
/// UTS 46; in that form they are sent, compared and told by ClientTLSOptions::hostname()
/// @param clientCertificate what we show if the server asks
/// @param acceptableProtocols the application protocols that we offer, best first (ALPN)
/// @param extra versions, ciphers, timeouts and so on, for the rare case. With enableSessions or enableSessionTickets
/// the recipe keeps sessions, and resumes them when it is used again: make it once then. Off by default: a resumed
/// session is not verified again, and in TLS 1.2 shows a listener that it is the same client.
/// @throws ValueError for a host name that is none, with libidn2's reason if it is beyond ASCII
/// @throws TypeError if @p extra sets what another argument is there for
ClientTLSOptions optionsForClientTLS(std::string_view hostname, const TrustRoot& trustRoot = platformTrust(),
                                     const std::optional<PrivateCertificate>& clientCertificate = std::nullopt,
                                     const std::vector<std::string>& acceptableProtocols = {},
                                     const CertificateOptions::Parameters& extra = CertificateOptions::Parameters());

/// The recipe of a client that accepts whatever certificate it is shown. For tests and measurements. Logs a warning.
///
/// With pinnedPublicKeys in @p extra it accepts one key and no other, whatever the certificate around it says: the way
/// to a self-signed server whose pin is known and whose certificate is not at hand.
///
/// @param serverName sent as SNI if it is a DNS name; may be empty; never verified
/// @throws ValueError, TypeError as above
InsecureClientOptions insecureOptionsForClientTLS(
    std::string_view serverName = {}, const std::vector<std::string>& acceptableProtocols = {},
    const CertificateOptions::Parameters& extra = CertificateOptions::Parameters());

}  // namespace torsion::ssl
