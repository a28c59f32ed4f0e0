#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/tls/distinguished_name.hpp>
#include <torsion/tls/public_key.hpp>

struct X509_req_st;  // OpenSSL's X509_REQ

namespace torsion::ssl {

/// What new certificates and requests are signed with unless told otherwise.
inline constexpr std::string_view kDefaultDigest = "sha256";

/// A request for a certificate (twisted.internet.ssl.CertificateRequest, PKCS#10, RFC 2986): made with a KeyPair, sent
/// to an authority, and answered with a certificate. A value that is cheap to copy. There is none whose signature is
/// not its own key's: that is checked when it is loaded.
class CertificateRequest {
public:
    /// Reads DER. @throws ssl::Error if that is no request
    /// @throws VerifyError if it is not signed with the key that it names
    static CertificateRequest load(BytesView der);

    /// Reads the first request of @p pem; whatever else is there is ignored. @throws ssl::Error, VerifyError
    static CertificateRequest loadPEM(BytesView pem);

    /// Copies OpenSSL's object. @throws VerifyError
    static CertificateRequest fromNative(X509_req_st* native);

    Bytes dump() const;  ///< DER
    std::string dumpPEM() const;

    DistinguishedName getSubject() const;
    PublicKey getPublicKey() const;

    /// The DNS names and IP addresses (as text) that the certificate shall speak for. DNS names come first. They are
    /// the request's word: unprintable octets are replaced by '?'.
    std::vector<std::string> subjectAltNames() const;

    /// Equality is equality of the DER form.
    bool operator==(const CertificateRequest& other) const;

    /// "<CertificateRequest Subject=example.com>"
    std::string str() const;

    /// Subject, names and public key, for people.
    std::string inspect() const;

    X509_req_st* native() const noexcept { return native_.get(); }

private:
    explicit CertificateRequest(std::shared_ptr<X509_req_st> native) noexcept : native_(std::move(native)) {}

    std::shared_ptr<X509_req_st> native_;
};

}  // namespace torsion::ssl

namespace torsion::detail {

/// @throws VerifyError unless the callback said yes
void requireApproval(bool approved, const ssl::CertificateRequest& request);

/// A callback that sees the distinguished name alone cannot approve of other names, nor of fields of the subject that
/// DistinguishedName leaves out. @throws VerifyError if there are any
void refuseUnseenNames(const ssl::CertificateRequest& request);

template <class T>
struct IsDeferred : std::false_type {};
template <class T>
struct IsDeferred<Deferred<T>> : std::true_type {};

template <class Verify>
auto askAbout(const ssl::CertificateRequest& request, Verify& verify) {
    if constexpr (std::is_invocable_v<Verify&, const ssl::CertificateRequest&>) {
        return verify(request);
    } else {
        refuseUnseenNames(request);
        return verify(request.getSubject());
    }
}

/// Asks @p verify about @p request, and if it approves calls @p sign with the request.
template <class Verify, class Sign>
auto whenApproved(const ssl::CertificateRequest& request, Verify&& verify, Sign sign) {
    auto answer = askAbout(request, verify);
    if constexpr (IsDeferred<decltype(answer)>::value) {
        return answer.addCallback([request, sign = std::move(sign)](bool approved) {
            requireApproval(approved, request);
            return sign(request);
        });
    } else {
        requireApproval(static_cast<bool>(answer), request);
        return sign(request);
    }
}

}  // namespace torsion::detail
