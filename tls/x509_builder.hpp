#pragma once

// Private to the tls folder.

#include <string>
#include <vector>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// Puts an X.509 version 3 certificate together, and signs it with SHA-256.
class X509Builder {
public:
    X509Builder(const KeyPair& key, const DistinguishedName& subject);

    void setSerialNumber(std::uint64_t number);
    void setRandomSerialNumber();
    void setValidity(const Validity& validity);
    /// @throws ValueError for a name that is neither a DNS name nor an IP address
    void setSubjectAltNames(const std::vector<std::string>& names);
    void setAuthority(bool authority) noexcept { authority_ = authority; }

    Certificate signedBySelf();
    Certificate signedBy(const Certificate& issuer, const KeyPair& issuerKey);

private:
    Certificate sign(X509* issuer, const KeyPair& issuerKey);
    void addExtension(X509* issuer, int nid, const std::string& value);

    KeyPair key_;
    CertificatePointer certificate_;
    bool authority_ = false;
};

}  // namespace torsion::ssl
