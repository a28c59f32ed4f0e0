#pragma once

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <openssl/ocsp.h>

#include <torsion/core/log.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/revocation_list.hpp>

namespace torsion::ssl::test {

using namespace std::chrono_literals;

inline constexpr TLSVersion kBothVersions[] = {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A third key, for chains whose members must not share one.
inline const KeyPair& thirdKey() {
    static const KeyPair key = KeyPair::generate(KeyPair::Kind::ec);
    return key;
}

/// A certificate of a new authority between the test authority and a leaf.
inline const PrivateCertificate& intermediate() {
    static const PrivateCertificate certificate =
        authority().issue(thirdKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    return certificate;
}

/// The same certificate with this extension, instead of another of its kind, signed anew by @p issuer.
inline PrivateCertificate withExtension(const PrivateCertificate& certificate, const PrivateCertificate& issuer,
                                        int nid, const char* value) {
    const CertificatePointer copy(X509_dup(certificate.native()));
    if (const int index = X509_get_ext_by_NID(copy.get(), nid, -1); index >= 0) {
        X509_EXTENSION_free(X509_delete_ext(copy.get(), index));
    }
    X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(copy.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(copy.get(), issuer.privateKey().native(), EVP_sha256());
    return PrivateCertificate::fromCertificateAndKeyPair(Certificate::load(Certificate::fromNative(copy.get()).dump()),
                                                         certificate.privateKey(), certificate.chain());
}

using TimePointer = std::unique_ptr<ASN1_TIME, Freer<ASN1_STRING_free>>;

inline TimePointer fromNow(std::chrono::seconds offset) {
    return TimePointer(X509_gmtime_adj(nullptr, static_cast<long>(offset.count())));
}

/// What a responder says.
struct OCSPAnswer {
    int status = V_OCSP_CERTSTATUS_GOOD;
    int reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
    std::chrono::seconds thisUpdate = -1min;
    std::optional<std::chrono::seconds> nextUpdate = 1h;
    const EVP_MD* digest = EVP_sha1();  ///< of the certificate's id
};

/// A response about @p certificate, which @p issuer has signed, by @p responder.
inline Bytes ocspResponse(const Certificate& certificate, const Certificate& issuer,
                          const PrivateCertificate& responder, const OCSPAnswer& answer = {}) {
    const std::unique_ptr<OCSP_BASICRESP, Freer<OCSP_BASICRESP_free>> basic(OCSP_BASICRESP_new());
    const std::unique_ptr<OCSP_CERTID, Freer<OCSP_CERTID_free>> id(
        OCSP_cert_to_id(answer.digest, certificate.native(), issuer.native()));
    const TimePointer thisUpdate = fromNow(answer.thisUpdate);
    const TimePointer nextUpdate = answer.nextUpdate ? fromNow(*answer.nextUpdate) : nullptr;
    const TimePointer revoked = fromNow(-1h);
    const bool isRevoked = answer.status == V_OCSP_CERTSTATUS_REVOKED;
    OCSP_basic_add1_status(basic.get(), id.get(), answer.status, answer.reason, isRevoked ? revoked.get() : nullptr,
                           thisUpdate.get(), nextUpdate.get());
    OCSP_basic_sign(basic.get(), responder.native(), responder.privateKey().native(), EVP_sha256(), nullptr, 0);
    const std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>> response(
        OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response.get(), &der);
    Bytes result(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return result;
}

/// The same by the issuer itself.
inline Bytes ocspResponse(const Certificate& certificate, const PrivateCertificate& issuer,
                          const OCSPAnswer& answer = {}) {
    return ocspResponse(certificate, issuer, issuer, answer);
}

/// A revocation list of @p issuer's.
inline RevocationList revocationList(const PrivateCertificate& issuer, const std::vector<Certificate>& revoked,
                                     std::chrono::seconds lastUpdate = -1min, std::chrono::seconds nextUpdate = 1h) {
    const std::unique_ptr<X509_CRL, Freer<X509_CRL_free>> list(X509_CRL_new());
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.native()));
    X509_CRL_set1_lastUpdate(list.get(), fromNow(lastUpdate).get());
    X509_CRL_set1_nextUpdate(list.get(), fromNow(nextUpdate).get());
    for (const Certificate& certificate : revoked) {
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.native()));
        X509_REVOKED_set_revocationDate(entry, fromNow(-1h).get());
        X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_CRL_sort(list.get());
    X509_CRL_sign(list.get(), issuer.privateKey().native(), EVP_sha256());
    return RevocationList::load(RevocationList::fromNative(list.get()).dump());
}

/// Counts the warnings that are logged while it lives.
class WarningCounter {
public:
    WarningCounter()
        : observer_(log::addObserver([this](const log::Event& event) {
              if (event.level != log::Level::warn) return;
              ++count;
              last = std::string(event.text);
          })) {}
    WarningCounter(const WarningCounter&) = delete;
    WarningCounter& operator=(const WarningCounter&) = delete;
    ~WarningCounter() { log::removeObserver(observer_); }

    int count = 0;
    std::string last;

private:
    int observer_;
};

/// What @p function throws as @p E, in words.
template <class E>
std::string refusalOf(const std::function<void()>& function) {
    try {
        function();
    } catch (const E& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace torsion::ssl::test
