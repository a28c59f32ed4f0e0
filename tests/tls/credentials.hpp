#pragma once

#include <string>
#include <vector>

#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/private_certificate.hpp>

namespace torsion::ssl::test {

/// A key that is quickly made; the same for all who only need some key.
inline const KeyPair& someKey() {
    static const KeyPair key = KeyPair::generate(KeyPair::Kind::ec);
    return key;
}

inline const KeyPair& otherKey() {
    static const KeyPair key = KeyPair::generate(KeyPair::Kind::ec);
    return key;
}

/// A self-signed certificate for example.com, as the documents' server.pem.
inline const PrivateCertificate& exampleCertificate() {
    static const PrivateCertificate certificate =
        someKey().selfSignedCert(1, DistinguishedName{{"CN", "example.com"}}, {"example.com"});
    return certificate;
}

/// An authority that has signed nothing yet.
inline const PrivateCertificate& authority() {
    static const PrivateCertificate certificate =
        otherKey().selfSignedCert(2, DistinguishedName{{"CN", "Test Authority"}});
    return certificate;
}

/// A certificate of that authority's, for these names.
inline PrivateCertificate issued(const std::vector<std::string>& names, const Validity& validity = Validity()) {
    return authority().issue(someKey(), DistinguishedName{{"CN", "a leaf"}}, names, validity);
}

}  // namespace torsion::ssl::test
