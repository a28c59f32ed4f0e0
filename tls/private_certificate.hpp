#pragma once

#include <concepts>
#include <string>
#include <vector>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/key_pair.hpp>

namespace torsion::ssl {

class CertificateOptions;

/// A certificate with its private key and the certificates that lead from it to a root
/// (twisted.internet.ssl.PrivateCertificate). Cheap to copy.
class PrivateCertificate : public Certificate {
public:
    /// Reads one text that holds a certificate and its private key, in any order. Certificates after the first are the
    /// rest of its chain, and are sent to peers with it.
    /// @throws ssl::Error that says which of the two is missing or unreadable
    /// @throws VerifyError if the key is another certificate's
    static PrivateCertificate loadPEM(BytesView pem);

    /// Reads a certificate in DER. @throws ssl::Error, VerifyError
    static PrivateCertificate load(BytesView der, const KeyPair& privateKey);

    /// @throws VerifyError if they do not belong together
    static PrivateCertificate fromCertificateAndKeyPair(const Certificate& certificate, const KeyPair& privateKey,
                                                        std::vector<Certificate> chain = {});

    /// A server's recipe that uses this certificate. Asks clients for none.
    CertificateOptions options() const;

    /// The same, and demands of every client a certificate that is anchored in one of @p authorities.
    CertificateOptions options(const std::vector<Certificate>& authorities) const;

    /// The same with the authorities as arguments.
    template <std::convertible_to<Certificate>... More>
    CertificateOptions options(const Certificate& authority, const More&... more) const;

    /// Signs a certificate for somebody else's key, as a small authority does: SHA-256, a random serial number, not an
    /// authority itself unless @p authority is true. If this certificate is not a root, it goes into the chain.
    /// @throws ValueError for a name that is neither a DNS name nor an IP address
    PrivateCertificate issue(const KeyPair& key, const DistinguishedName& subject,
                             const std::vector<std::string>& subjectAltNames = {},
                             const Validity& validity = Validity(), bool authority = false) const;

    const KeyPair& privateKey() const noexcept { return privateKey_; }

    /// The certificates between this one and a root, the next one first.
    const std::vector<Certificate>& chain() const noexcept { return chain_; }

    /// Certificate, chain and private key: what loadPEM reads. Keep it secret.
    std::string dumpPEM() const;

    /// Without the key's secret part.
    std::string inspect() const;

private:
    PrivateCertificate(const Certificate& certificate, const KeyPair& privateKey, std::vector<Certificate> chain);

    KeyPair privateKey_;
    std::vector<Certificate> chain_;
};

}  // namespace torsion::ssl
