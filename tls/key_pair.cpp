#include <torsion/tls/key_pair.hpp>

#include <array>
#include <new>

#include <openssl/pem.h>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/x509_builder.hpp>

namespace torsion::ssl {

namespace {

constexpr int kSmallestRSAKey = 1024;
constexpr int kLargestRSAKey = 16384;

}  // namespace

KeyPair KeyPair::generate(Kind kind, int bits) {
    if (kind == Kind::rsa && (bits < kSmallestRSAKey || bits > kLargestRSAKey)) {
        throw ValueError("An RSA key has between 1024 and 16384 bits, not " + std::to_string(bits));
    }
    const KeyPointer native(callOpenSSL([&] {
        return kind == Kind::rsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits))
                                 : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    }));
    if (!native) throwFromQueue("The key cannot be generated");
    return fromNative(native.get());
}

KeyPair KeyPair::fromNative(evp_pkey_st* native) {
    if (EVP_PKEY_up_ref(native) != 1) throw std::bad_alloc();
    return KeyPair(std::shared_ptr<evp_pkey_st>(native, Freer<EVP_PKEY_free>()));
}

KeyPair KeyPair::load(BytesView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    const KeyPointer native(
        callOpenSSL([&] { return d2i_AutoPrivateKey(nullptr, &data, static_cast<long>(der.size())); }));
    if (!native) throwFromQueue("This is not a private key in DER");
    ERR_clear_error();
    return fromNative(native.get());
}

KeyPair KeyPair::loadPEM(BytesView pem) {
    const PEMContents contents = readPEM(pem);
    if (contents.key) return *contents.key;
    if (contents.encryptedKey)
        throw Error("The private key is encrypted: decrypt it first, we never ask for a passphrase");
    throw Error("PEM data holds no private key: " + contents.describe());
}

Bytes KeyPair::dump() const {
    const BIOPointer bio = collectingBIO();
    const int written = callOpenSSL(
        [&] { return i2d_PKCS8PrivateKey_bio(bio.get(), native(), nullptr, nullptr, 0, nullptr, nullptr); });
    if (written != 1) throwFromQueue("The private key cannot be written as DER");
    return contents(bio.get());
}

std::string KeyPair::dumpPEM() const {
    const BIOPointer bio = collectingBIO();
    const int written = callOpenSSL(
        [&] { return PEM_write_bio_PKCS8PrivateKey(bio.get(), native(), nullptr, nullptr, 0, nullptr, nullptr); });
    if (written != 1) throwFromQueue("The private key cannot be written as PEM");
    return contents(bio.get());
}

bool KeyPair::matches(const KeyPair& other) const noexcept { return EVP_PKEY_eq(native(), other.native()) == 1; }

std::string KeyPair::inspect() const {
    unsigned char* data = nullptr;
    const int size = callOpenSSL([&] { return i2d_PUBKEY(native(), &data); });
    if (size < 0) throwFromQueue("The public key cannot be written");
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned count = 0;
    if (EVP_Digest(data, static_cast<std::size_t>(size), octets.data(), &count, EVP_sha256(), nullptr) != 1) {
        throwFromQueue("The public key cannot be hashed");
    }
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hash;
    for (unsigned i = 0; i < count; ++i) {
        hash += kDigits[octets[i] >> 4U];
        hash += kDigits[octets[i] & 15U];
    }
    const char* type = EVP_PKEY_get0_type_name(native());
    return std::to_string(EVP_PKEY_get_bits(native())) + "-bit " + (type != nullptr ? type : "unknown") +
           " Key Pair with Hash: " + hash;
}

PrivateCertificate KeyPair::selfSignedCert(std::uint64_t serialNumber, const DistinguishedName& subject,
                                           const std::vector<std::string>& subjectAltNames,
                                           const Validity& validity) const {
    X509Builder builder(*this, subject);
    builder.setSerialNumber(serialNumber);
    builder.setValidity(validity);
    builder.setSubjectAltNames(subjectAltNames);
    builder.setAuthority(true);
    return PrivateCertificate::fromCertificateAndKeyPair(builder.signedBySelf(), *this);
}

}  // namespace torsion::ssl
