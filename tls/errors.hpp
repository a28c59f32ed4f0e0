#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/failure.hpp>

struct ssl_st;  // OpenSSL's SSL

/// What goes wrong in TLS. None of these is a ConnectionClosed, as in Twisted: an application that checks for a clean
/// or unclean close does not mistake a refused certificate for one.
namespace torsion::ssl {

/// A TLS connection or its configuration failed (OpenSSL.SSL.Error). what() says in words what happened and what to do;
/// OpenSSL's own text stands behind it in parentheses.
class Error : public torsion::Error {
public:
    explicit Error(const std::string& text, std::vector<std::string> openSSLTexts = {},
                   std::optional<int> alert = std::nullopt);

    /// OpenSSL's own texts, oldest first; may be empty.
    const std::vector<std::string>& openSSLTexts() const noexcept { return *texts_; }

    /// The alert that the peer sent (RFC 8446, 6: 48 is unknown_ca); none if it was we who found the fault.
    std::optional<int> alert() const noexcept { return alert_; }

private:
    std::shared_ptr<const std::vector<std::string>> texts_;  // shared: copying an error must not throw
    std::optional<int> alert_;
};

/// The peer's certificate is valid, and is another host's (service_identity.VerificationError). The text names the host
/// that was wanted and the names that the certificate carries.
class VerificationError : public Error {
public:
    using Error::Error;
};

/// The peer's certificate is not one that we can trust: untrusted issuer, expired, and so on. The text gives the
/// reason, the certificate's subject and its depth in the chain (0 is the peer's own).
class CertificateVerifyError : public Error {
public:
    using Error::Error;
};

/// None of the keys in the peer's certificates is one that was pinned. The text names both.
class PinMismatch : public CertificateVerifyError {
public:
    PinMismatch(const std::string& text, std::vector<std::string> openSSLTexts, std::vector<std::string> seen,
                std::vector<std::string> wanted);

    /// The pins of the certificates that counted, the peer's own first.
    const std::vector<std::string>& seen() const noexcept { return pins_->first; }
    /// The pins of the recipe.
    const std::vector<std::string>& wanted() const noexcept { return pins_->second; }

private:
    // Shared, as in Error.
    std::shared_ptr<const std::pair<std::vector<std::string>, std::vector<std::string>>> pins_;
};

/// Makes the reason of what just failed on @p connection (may be null) out of OpenSSL's error queue, and empties that
/// queue. Call it right after the failed call, on the same thread.
Failure failureFromQueue(const ssl_st* connection);

/// The same for a call that had to do with no connection. @p what says what could not be done.
[[noreturn]] void throwFromQueue(const std::string& what);

}  // namespace torsion::ssl
