#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/certificate_use.hpp>
#include <torsion/tls/key_pair.hpp>

namespace torsion::ssl {

class CertificateOptions;

/// A certificate with its private key and the certificates that lead from it to a root
/// (twisted.internet.ssl.PrivateCertificate). Cheap to copy.
class PrivateCertificate : public Certificate {
public:
    /// Reads one text that holds a certificate and its private key, in any order. Certificates after the first are the
    /// rest of its chain, and are sent to peers with it.
    /// @param passphrase asked if the key is encrypted; without it such a key is an error
    /// @throws ssl::Error that says which of the two is missing or unreadable, or that the passphrase is
    /// @throws VerifyError if the key is another certificate's
    static PrivateCertificate loadPEM(BytesView pem, Passphrase passphrase = {});

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

    /// A request for a certificate for this one's key, in DER: to have it renewed, or signed by another authority.
    /// See KeyPair::requestObject.
    Bytes certificateRequest(const DistinguishedName& subject, const std::vector<std::string>& subjectAltNames = {},
                             std::string_view digest = kDefaultDigest) const;

    /// What an authority has answered to that: @p certificate in DER with this one's key.
    /// @throws ssl::Error if that is no certificate
    /// @throws VerifyError if it is another key's
    PrivateCertificate newCertificate(BytesView certificate) const;

    /// Signs a certificate for who made @p request. See KeyPair::signRequestObject.
    Certificate signRequestObject(const CertificateRequest& request,
                                  std::optional<std::uint64_t> serialNumber = std::nullopt,
                                  const Validity& validity = Validity(), std::string_view digest = kDefaultDigest,
                                  CertificateUse use = CertificateUse::serverAndClient) const;

    /// Reads a request in DER, asks @p verify and signs. See KeyPair::signCertificateRequest.
    ///
    ///     authority.signCertificateRequest(der, [](const ssl::CertificateRequest& request) { return known(request); })
    ///
    /// @return the certificate in DER, as a Bytes or, if @p verify returns a Deferred<bool>, as a Deferred<Bytes>
    /// @throws VerifyError if the request is not signed with its own key, or @p verify says no
    template <class Verify>
    auto signCertificateRequest(BytesView request, Verify&& verify,
                                std::optional<std::uint64_t> serialNumber = std::nullopt,
                                const Validity& validity = Validity(), std::string_view digest = kDefaultDigest) const {
        return torsion::detail::whenApproved(
            CertificateRequest::load(request), std::forward<Verify>(verify),
            [issuer = *this, serialNumber, validity, digest = std::string(digest)](const CertificateRequest& approved) {
                return issuer.signRequestObject(approved, serialNumber, validity, digest).dump();
            });
    }

    const KeyPair& privateKey() const noexcept { return privateKey_; }

    /// The certificates between this one and a root, the next one first.
    const std::vector<Certificate>& chain() const noexcept { return chain_; }

    /// Certificate, chain and private key: what loadPEM reads. Keep it secret.
    std::string dumpPEM() const;

    /// The same with the key encrypted. @throws ValueError as KeyPair::dumpPEM
    std::string dumpPEM(std::string_view passphrase) const;

    /// "<PrivateCertificate Subject=example.com Issuer=Example CA with <KeyPair ...>>"
    std::string str() const;

    /// Without the key's secret part.
    std::string inspect() const;

private:
    PrivateCertificate(const Certificate& certificate, const KeyPair& privateKey, std::vector<Certificate> chain);

    std::string dumpCertificatesPEM() const;

    KeyPair privateKey_;
    std::vector<Certificate> chain_;
};

}  // namespace torsion::ssl
