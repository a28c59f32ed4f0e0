#include <torsion/tls/public_key.hpp>

#include <array>
#include <new>

#include <torsion/tls/der.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

PublicKey PublicKey::fromNative(evp_pkey_st* native) {
    if (EVP_PKEY_up_ref(native) != 1) throw std::bad_alloc();
    return PublicKey(std::shared_ptr<evp_pkey_st>(native, Freer<EVP_PKEY_free>()));
}

bool PublicKey::matches(const PublicKey& other) const noexcept { return EVP_PKEY_eq(native(), other.native()) == 1; }

std::string PublicKey::keyHash() const {
    const Bytes der =
        writeDER([&](unsigned char** data) { return i2d_PUBKEY(native(), data); }, "The public key cannot be written");
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned count = 0;
    const int hashed =
        callOpenSSL([&] { return EVP_Digest(der.data(), der.size(), octets.data(), &count, EVP_sha256(), nullptr); });
    if (hashed != 1) throwFromQueue("The public key cannot be hashed");
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hash;
    for (unsigned i = 0; i < count; ++i) {
        hash += kDigits[octets[i] >> 4U];
        hash += kDigits[octets[i] & 15U];
    }
    return hash;
}

std::string PublicKey::inspect() const { return "Public Key with Hash: " + keyHash(); }

std::string PublicKey::str() const { return "<PublicKey " + keyHash() + ">"; }

}  // namespace torsion::ssl
