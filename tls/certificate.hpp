#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/distinguished_name.hpp>
#include <torsion/tls/public_key.hpp>

struct x509_st;  // OpenSSL's X509

namespace torsion {
class Transport;
}

namespace torsion::ssl {

/// An X.509 certificate (twisted.internet.ssl.Certificate). A value that is cheap to copy: copies share one immutable
/// object, also across threads. Can stand wherever a TrustRoot is wanted.
class Certificate {
public:
    /// Reads DER. @throws ssl::Error if that is no certificate
    static Certificate load(BytesView der);

    /// Reads the first certificate of @p pem; whatever else is there, such as its key, is ignored.
    /// @throws ssl::Error that says what was found instead
    static Certificate loadPEM(BytesView pem);

    /// Reads all certificates of @p pem, in order: a chain or a bundle of roots. @throws ssl::Error if there is none
    static std::vector<Certificate> loadAllPEM(BytesView pem);

    /// The certificate of the peer of @p transport.
    /// @throws CertificateError if that is not under TLS, or the peer has sent none (yet)
    static Certificate peerFromTransport(Transport& transport);

    /// Shares OpenSSL's object, which must not be changed any more.
    static Certificate fromNative(x509_st* native);

    Bytes dump() const;  ///< DER
    std::string dumpPEM() const;

    DistinguishedName getSubject() const;
    DistinguishedName getIssuer() const;

    /// The key that it is about. @throws ssl::Error if OpenSSL does not know that kind of key
    PublicKey getPublicKey() const;

    /// In decimal digits, for it may have 160 bits.
    std::string serialNumber() const;

    /// The fingerprint as "43:C8:...". SHA256 is the default, Twisted's is MD5 (deviation D20).
    /// @throws ValueError if OpenSSL has no such digest
    std::string digest(std::string_view method = "SHA256") const;

    /// The pin of its public key: "sha256/" and the SHA-256 of the SubjectPublicKeyInfo in base64 (RFC 7469, 2.4),
    /// which stays when the certificate is renewed with the same key. OkHttp takes it as it is, curl's --pinnedpubkey
    /// with a second slash. See CertificateOptions::Parameters::pinnedPublicKeys.
    std::string publicKeyPin() const;

    /// The DNS names and IP addresses (as text) of the subjectAltName extension: whom it may speak for. DNS names come
    /// first. They are the certificate's word: unprintable octets are replaced by '?'.
    std::vector<std::string> subjectAltNames() const;

    /// Whether it says that it was signed by its own subject.
    bool isSelfIssued() const;

    /// Equality is equality of the DER form.
    bool operator==(const Certificate& other) const noexcept;

    /// "<Certificate Subject=example.com Issuer=Example CA>"
    std::string str() const;

    /// Subject, issuer, serial number, names, digest and the public key's hash, for people.
    std::string inspect() const;

    x509_st* native() const noexcept { return native_.get(); }

protected:
    explicit Certificate(std::shared_ptr<x509_st> native) noexcept : native_(std::move(native)) {}

    /// "Subject=example.com Issuer=Example CA"
    std::string names() const;

    /// What inspect() says before the key.
    std::string describe() const;

private:
    std::shared_ptr<x509_st> native_;
};

}  // namespace torsion::ssl
