#pragma once

// Private to the tls folder.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/certificate_use.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// The hash to sign with @p key; null for a key that has one of its own. @throws ValueError if OpenSSL has no such
const EVP_MD* digestFor(const PublicKey& key, std::string_view digest);

/// A subject or issuer in OpenSSL's form.
using NamePointer = std::unique_ptr<X509_NAME, Freer<X509_NAME_free>>;
NamePointer nativeName(const DistinguishedName& name);

/// Puts an X.509 version 3 certificate together, and signs it.
class X509Builder {
public:
    /// @p subject is copied as it is, also what DistinguishedName does not know.
    X509Builder(const PublicKey& key, const X509_NAME* subject);

    /// None is a random one of 127 bits.
    void setSerialNumber(std::optional<std::uint64_t> number);
    void setValidity(const Validity& validity);
    /// @throws ValueError for a name that is neither a DNS name nor an IP address
    void setSubjectAltNames(const std::vector<std::string>& names);
    void setUse(CertificateUse use) noexcept { use_ = use; }
    void setDigest(std::string_view digest) { digest_ = digest; }

    /// @p key is the one that the certificate is for.
    Certificate signedBySelf(const KeyPair& key);
    Certificate signedBy(const Certificate& issuer, const KeyPair& issuerKey);
    /// Without the issuer's certificate, whose key identifier is taken to be the usual hash.
    Certificate signedBy(const DistinguishedName& issuer, const KeyPair& issuerKey);

private:
    Certificate sign(X509* issuer, const KeyPair& issuerKey);
    void addExtension(X509* issuer, int nid, const std::string& value);

    PublicKey key_;
    CertificatePointer certificate_;
    CertificateUse use_ = CertificateUse::serverAndClient;
    std::string digest_{kDefaultDigest};
};

/// One that is set up as @p request asks for.
X509Builder builderFor(const CertificateRequest& request, std::optional<std::uint64_t> serialNumber,
                       const Validity& validity, std::string_view digest, CertificateUse use);

}  // namespace torsion::ssl
