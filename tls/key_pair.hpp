#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/distinguished_name.hpp>
#include <torsion/tls/validity.hpp>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace torsion::ssl {

class PrivateCertificate;

/// A private key and its public half (twisted.internet.ssl.KeyPair). A value that is cheap to copy: copies share one
/// immutable object, also across threads.
class KeyPair {
public:
    enum class Kind {
        rsa,
        ec,  ///< on the curve P-256
    };

    static constexpr int kDefaultRSABits = 2048;

    /// Makes a new key. @param bits the size of an RSA key; other kinds ignore it
    /// @throws ValueError for an RSA key below 1024 or above 16384 bits
    static KeyPair generate(Kind kind = Kind::rsa, int bits = kDefaultRSABits);

    /// Reads DER. @throws ssl::Error if that is no private key
    static KeyPair load(BytesView der);

    /// Reads the first private key of @p pem; whatever else is there is ignored. Never asks for a passphrase.
    /// @throws ssl::Error if there is none, or it is encrypted
    static KeyPair loadPEM(BytesView pem);

    /// Shares OpenSSL's object, which must not be changed any more.
    static KeyPair fromNative(evp_pkey_st* native);

    Bytes dump() const;           ///< DER, PKCS#8, unencrypted
    std::string dumpPEM() const;  ///< PKCS#8, unencrypted

    /// Whether both have the same public half.
    bool matches(const KeyPair& other) const noexcept;

    /// "2048-bit RSA Key Pair with Hash: ...", where the hash is the SHA-256 of the public half (Twisted: MD5, D20).
    std::string inspect() const;

    /// A certificate for this key, signed by itself with SHA-256. It is its own authority (basicConstraints CA:TRUE),
    /// so a peer may use it as trust root.
    /// @param subjectAltNames DNS names and IP addresses that it speaks for; without any no client accepts it as a
    ///     server's, for the common name does not count (RFC 9525)
    /// @throws ValueError for a name that is neither
    PrivateCertificate selfSignedCert(std::uint64_t serialNumber, const DistinguishedName& subject,
                                      const std::vector<std::string>& subjectAltNames = {},
                                      const Validity& validity = Validity()) const;

    evp_pkey_st* native() const noexcept { return native_.get(); }

private:
    explicit KeyPair(std::shared_ptr<evp_pkey_st> native) noexcept : native_(std::move(native)) {}

    std::shared_ptr<evp_pkey_st> native_;
};

}  // namespace torsion::ssl
