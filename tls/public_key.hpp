#pragma once

#include <memory>
#include <string>
#include <utility>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace torsion::ssl {

/// The public half of a key (twisted.internet.ssl.PublicKey), as certificates and requests carry it. A value that is
/// cheap to copy: copies share one immutable object, also across threads.
class PublicKey {
public:
    /// Shares OpenSSL's object, which must not be changed any more.
    static PublicKey fromNative(evp_pkey_st* native);

    /// Whether both are the same public key.
    bool matches(const PublicKey& other) const noexcept;

    /// The SHA-256 of the key's DER form (SubjectPublicKeyInfo) in hexadecimal digits: 64 of them that tell keys apart
    /// (Twisted: MD5, D20).
    std::string keyHash() const;

    /// "Public Key with Hash: ..."
    std::string inspect() const;

    /// "<PublicKey ...>" with the hash.
    std::string str() const;

    evp_pkey_st* native() const noexcept { return native_.get(); }

protected:
    explicit PublicKey(std::shared_ptr<evp_pkey_st> native) noexcept : native_(std::move(native)) {}

private:
    std::shared_ptr<evp_pkey_st> native_;
};

}  // namespace torsion::ssl
