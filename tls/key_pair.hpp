#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/certificate_use.hpp>
#include <torsion/tls/distinguished_name.hpp>
#include <torsion/tls/passphrase.hpp>
#include <torsion/tls/public_key.hpp>
#include <torsion/tls/validity.hpp>

namespace torsion::ssl {

class Certificate;
class PrivateCertificate;

/// A private key and its public half (twisted.internet.ssl.KeyPair). A value that is cheap to copy: copies share one
/// immutable object, also across threads.
class KeyPair : public PublicKey {
public:
    enum class Kind {
        rsa,
        ec,       ///< on the curve P-256
        ed25519,  ///< RFC 8410; known to TLS 1.2 and 1.3 alike, but not to all peers
    };

    static constexpr int kDefaultRSABits = 2048;

    /// Makes a new key. @param bits the size of an RSA key; other kinds ignore it
    /// @throws ValueError for an RSA key below 1024 or above 16384 bits
    static KeyPair generate(Kind kind = Kind::rsa, int bits = kDefaultRSABits);

    /// Reads DER: PKCS#8, plain or encrypted, or the older form of the key's own kind.
    /// @throws ssl::Error if that is no private key, or it is encrypted and @p passphrase is missing or wrong
    static KeyPair load(BytesView der, Passphrase passphrase = {});

    /// Reads the first private key of @p pem, or if there are only encrypted ones the first of these; whatever else is
    /// there is ignored. Never asks anybody but @p passphrase.
    /// @throws ssl::Error if there is no key, or it is encrypted and @p passphrase is missing or wrong
    /// @throws ValueError for a passphrase of more than kLongestPassphrase octets
    static KeyPair loadPEM(BytesView pem, Passphrase passphrase = {});

    /// Shares OpenSSL's object, which must not be changed any more.
    static KeyPair fromNative(evp_pkey_st* native);

    Bytes dump() const;           ///< DER, PKCS#8, unencrypted
    std::string dumpPEM() const;  ///< PKCS#8, unencrypted

    /// PKCS#8, encrypted with AES-256 and a key that PBKDF2 derives of @p passphrase.
    /// @throws ValueError for one that is empty or has more than kLongestPassphrase octets
    std::string dumpPEM(std::string_view passphrase) const;

    /// "2048-bit RSA Key Pair with Hash: ...", with the keyHash() of the public half.
    std::string inspect() const;

    /// "<KeyPair ...>" with the hash of the public half.
    std::string str() const;

    /// A certificate for this key, signed by itself with SHA-256. It is its own authority (basicConstraints CA:TRUE),
    /// so a peer may use it as trust root.
    /// @param subjectAltNames DNS names and IP addresses that it speaks for; without any no client accepts it as a
    ///     server's, for the common name does not count (RFC 9525)
    /// @throws ValueError for a name that is neither
    PrivateCertificate selfSignedCert(std::uint64_t serialNumber, const DistinguishedName& subject,
                                      const std::vector<std::string>& subjectAltNames = {},
                                      const Validity& validity = Validity()) const;

    /// This key with a certificate for it in DER, as an authority has sent it.
    /// @throws ssl::Error if that is no certificate
    /// @throws VerifyError if it is another key's
    PrivateCertificate newCertificate(BytesView certificate) const;

    /// A request for a certificate, signed with this key.
    /// @param subjectAltNames DNS names and IP addresses that the certificate shall speak for
    /// @param digest the hash to sign with; a key that has one of its own, such as Ed25519, ignores it
    /// @throws ValueError for a name that is neither, or an unknown digest
    CertificateRequest requestObject(const DistinguishedName& subject,
                                     const std::vector<std::string>& subjectAltNames = {},
                                     std::string_view digest = kDefaultDigest) const;

    /// The same in DER.
    Bytes certificateRequest(const DistinguishedName& subject, const std::vector<std::string>& subjectAltNames = {},
                             std::string_view digest = kDefaultDigest) const;

    /// Signs a certificate for who made @p request, as the authority @p issuer whose key this is. It carries the
    /// request's subject, key and subjectAltNames, and nothing else that the request may ask for: look at them first.
    /// @param serialNumber the authority's own numbering; none is a random number of 127 bits
    /// @throws ValueError for a name in the request that is no host name or not written as certificates have it (in
    /// ASCII, without a final dot), or an unknown digest
    Certificate signRequestObject(const DistinguishedName& issuer, const CertificateRequest& request,
                                  std::optional<std::uint64_t> serialNumber, const Validity& validity = Validity(),
                                  std::string_view digest = kDefaultDigest,
                                  CertificateUse use = CertificateUse::serverAndClient) const;

    /// Reads a request in DER, asks @p verify, and signs. @p verify takes the `const CertificateRequest&`, or like
    /// Twisted's callback its DistinguishedName, which suits requests without subjectAltNames only; it returns a bool
    /// or a Deferred<bool>.
    /// @return the certificate in DER, as a Bytes or, if the answer is a Deferred, as a Deferred<Bytes>
    /// @throws VerifyError if the request is not signed with its own key, or @p verify says no
    template <class Verify>
    auto signCertificateRequest(const DistinguishedName& issuer, BytesView request, Verify&& verify,
                                std::optional<std::uint64_t> serialNumber, const Validity& validity = Validity(),
                                std::string_view digest = kDefaultDigest) const {
        return torsion::detail::whenApproved(CertificateRequest::load(request), std::forward<Verify>(verify),
                                             [key = *this, issuer, serialNumber, validity,
                                              digest = std::string(digest)](const CertificateRequest& approved) {
                                                 return key.signedDER(issuer, approved, serialNumber, validity, digest);
                                             });
    }

private:
    explicit KeyPair(std::shared_ptr<evp_pkey_st> native) noexcept : PublicKey(std::move(native)) {}

    Bytes signedDER(const DistinguishedName& issuer, const CertificateRequest& request,
                    std::optional<std::uint64_t> serialNumber, const Validity& validity, std::string_view digest) const;
};

}  // namespace torsion::ssl
