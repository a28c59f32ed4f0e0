#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/private_certificate.hpp>

namespace torsion::ssl {

/// The OCSP response (RFC 6960) that a server sends with its certificate to clients that ask: its authority's word that
/// the certificate was not revoked. It is good for days at most and must be replaced in time, while the server runs:
///
///     ssl::OCSPStaple staple(certificate);
///     staple.set(readFile("response.der"));
///     ssl::CertificateOptions options(ssl::CertificateOptions::Parameters(certificate).ocspStaple(staple));
///     ...
///     staple.set(readFile("response.der"));  // a new one, from any thread; it holds from the next handshake on
///
/// Copies share the response, and so do all recipes that were given one of them. Any thread may call anything here.
/// torsion does not fetch responses: `openssl ocsp -respout` or a job of the web server's does.
class OCSPStaple {
public:
    using Clock = std::chrono::system_clock;

    /// One for @p certificate, which was signed by the first of its chain, or by itself. If it has no chain, because a
    /// root signed it, the responder's signature is not looked at here; the clients do that.
    explicit OCSPStaple(const PrivateCertificate& certificate);

    /// One for @p certificate, which @p issuer has signed.
    OCSPStaple(const Certificate& certificate, const Certificate& issuer);

    /// Replaces the response, which is DER as responders give it.
    /// @throws ssl::Error that says what is wrong: it is no response, or one that says that the responder failed, or
    /// about another certificate, not good any more or yet (the responder's clock may be kDefaultOCSPSkew ahead),
    /// signed by somebody who may not, or it says that the certificate was revoked. The response before stays then.
    void set(BytesView der);

    /// Sends nothing from now on.
    void clear();

    /// What is sent now; empty if there is none, or if it is not good any more. The latter is logged once.
    Bytes current() const;

    /// Until when the response is good; none if there is no response or if it does not say.
    std::optional<Clock::time_point> nextUpdate() const;

    /// Whose response it is.
    const Certificate& certificate() const noexcept;

    /// For tests: asks @p now for the time, perhaps on several threads at once.
    void setClock(std::function<Clock::time_point()> now);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace torsion::ssl
