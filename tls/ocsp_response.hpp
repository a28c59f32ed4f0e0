#pragma once

// Private to the tls folder.

#include <chrono>
#include <optional>
#include <string>

#include <openssl/ocsp.h>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// The time that @p time says. @throws ssl::Error if it is none
std::chrono::system_clock::time_point timePoint(const ASN1_TIME* time);

/// What a response says of one certificate.
struct OCSPStatus {
    using Clock = std::chrono::system_clock;

    int status = V_OCSP_CERTSTATUS_UNKNOWN;
    Clock::time_point thisUpdate;
    std::optional<Clock::time_point> nextUpdate;
    std::string reason;  // of a revocation, "" if it is not said
    std::string since;   // the revocation's time

    /// In words what forbids to accept the certificate at @p now; empty if nothing does. Of what is both stale and
    /// revoked the latter is said: nobody comes back from that.
    std::string objection(Clock::time_point now, std::chrono::seconds skew) const;

    /// When it must not be used any more.
    Clock::time_point end() const;
};

/// An OCSP response (RFC 6960, 4.2). Everything that it throws is an ssl::Error which reads on from "the OCSP
/// response".
class OCSPResponse {
public:
    /// @throws ssl::Error if it cannot be read, or only says that the responder has failed
    explicit OCSPResponse(BytesView der);

    /// What it says of @p certificate. @param issuer who signed that; null if it is not at hand: then only the issuer's
    /// name and the serial number are compared
    /// @throws ssl::Error if it says nothing
    OCSPStatus statusOf(X509* certificate, X509* issuer) const;

    /// Checks that @p issuer, or a responder to whom it has delegated that itself, has signed.
    /// @throws ssl::Error if not
    void verify(X509* issuer) const;

private:
    std::unique_ptr<OCSP_BASICRESP, Freer<OCSP_BASICRESP_free>> basic_;
};

/// Whether @p certificate says that it must not be accepted without a staple (RFC 7633).
bool mustStaple(X509* certificate) noexcept;

}  // namespace torsion::ssl
