#include <torsion/tls/key_pair.hpp>

#include <new>

#include <openssl/pem.h>

#include <torsion/tls/der.hpp>
#include <torsion/tls/encrypted_key.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/general_names.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/x509_builder.hpp>

namespace torsion::ssl {

namespace {

constexpr int kSmallestRSAKey = 1024;
constexpr int kLargestRSAKey = 16384;

EVP_PKEY* newKey(KeyPair::Kind kind, int bits) {
    switch (kind) {
        case KeyPair::Kind::rsa: return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits));
        case KeyPair::Kind::ec: return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
        case KeyPair::Kind::ed25519: return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
    throw ValueError("There is no such kind of key");
}

void check(int result) {
    if (result <= 0) throwFromQueue("The certificate request cannot be made");
}

void addNames(X509_REQ* request, const std::vector<std::string>& names) {
    if (names.empty()) return;
    using Extensions = STACK_OF(X509_EXTENSION);
    const GeneralNamesPointer list = generalNames(names);
    Extensions* extensions = nullptr;
    const int critical = X509_NAME_entry_count(X509_REQ_get_subject_name(request)) == 0 ? 1 : 0;
    const int made = callOpenSSL([&] {
        const int added = X509V3_add1_i2d(&extensions, NID_subject_alt_name, list.get(), critical, X509V3_ADD_DEFAULT);
        return added == 1 ? X509_REQ_add_extensions(request, extensions) : added;
    });
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    check(made);
}

}  // namespace

KeyPair KeyPair::generate(Kind kind, int bits) {
    if (kind == Kind::rsa && (bits < kSmallestRSAKey || bits > kLargestRSAKey)) {
        throw ValueError("An RSA key has between 1024 and 16384 bits, not " + std::to_string(bits));
    }
    const KeyPointer native(callOpenSSL([&] { return newKey(kind, bits); }));
    if (!native) throwFromQueue("The key cannot be generated");
    return fromNative(native.get());
}

KeyPair KeyPair::fromNative(evp_pkey_st* native) {
    if (EVP_PKEY_up_ref(native) != 1) throw std::bad_alloc();
    return KeyPair(std::shared_ptr<evp_pkey_st>(native, Freer<EVP_PKEY_free>()));
}

KeyPair KeyPair::load(BytesView der, Passphrase passphrase) {
    if (EncryptedKey::isPKCS8(der)) return EncryptedKey::pkcs8(Bytes(der)).decrypt(passphrase);
    const KeyPointer native(readDER(d2i_AutoPrivateKey, der));
    if (!native) throwFromQueue("This is not a private key in DER");
    ERR_clear_error();
    return fromNative(native.get());
}

KeyPair KeyPair::loadPEM(BytesView pem, Passphrase passphrase) {
    const PEMContents contents = readPEM(pem);
    if (contents.key) return *contents.key;
    if (contents.encryptedKey) return contents.encryptedKey->decrypt(passphrase);
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

std::string KeyPair::dumpPEM(std::string_view passphrase) const { return EncryptedKey::encryptPEM(*this, passphrase); }

std::string KeyPair::inspect() const {
    const char* type = EVP_PKEY_get0_type_name(native());
    return std::to_string(EVP_PKEY_get_bits(native())) + "-bit " + (type != nullptr ? type : "unknown") +
           " Key Pair with Hash: " + keyHash();
}

std::string KeyPair::str() const { return "<KeyPair " + keyHash() + ">"; }

PrivateCertificate KeyPair::selfSignedCert(std::uint64_t serialNumber, const DistinguishedName& subject,
                                           const std::vector<std::string>& subjectAltNames,
                                           const Validity& validity) const {
    X509Builder builder(*this, nativeName(subject).get());
    builder.setSerialNumber(serialNumber);
    builder.setValidity(validity);
    builder.setSubjectAltNames(subjectAltNames);
    builder.setUse(CertificateUse::authority);
    return PrivateCertificate::fromCertificateAndKeyPair(builder.signedBySelf(*this), *this);
}

PrivateCertificate KeyPair::newCertificate(BytesView certificate) const {
    return PrivateCertificate::load(certificate, *this);
}

CertificateRequest KeyPair::requestObject(const DistinguishedName& subject,
                                          const std::vector<std::string>& subjectAltNames,
                                          std::string_view digest) const {
    const EVP_MD* algorithm = digestFor(*this, digest);
    const std::unique_ptr<X509_REQ, Freer<X509_REQ_free>> request(X509_REQ_new());
    if (!request) throw std::bad_alloc();
    check(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1));
    check(X509_REQ_set_subject_name(request.get(), nativeName(subject).get()));
    check(callOpenSSL([&] { return X509_REQ_set_pubkey(request.get(), native()); }));
    addNames(request.get(), subjectAltNames);
    check(callOpenSSL([&] { return X509_REQ_sign(request.get(), native(), algorithm); }));
    return CertificateRequest::fromNative(request.get());
}

Bytes KeyPair::certificateRequest(const DistinguishedName& subject, const std::vector<std::string>& subjectAltNames,
                                  std::string_view digest) const {
    return requestObject(subject, subjectAltNames, digest).dump();
}

Certificate KeyPair::signRequestObject(const DistinguishedName& issuer, const CertificateRequest& request,
                                       std::optional<std::uint64_t> serialNumber, const Validity& validity,
                                       std::string_view digest, CertificateUse use) const {
    X509Builder builder = builderFor(request, serialNumber, validity, digest, use);
    return builder.signedBy(issuer, *this);
}

Bytes KeyPair::signedDER(const DistinguishedName& issuer, const CertificateRequest& request,
                         std::optional<std::uint64_t> serialNumber, const Validity& validity,
                         std::string_view digest) const {
    return signRequestObject(issuer, request, serialNumber, validity, digest).dump();
}

}  // namespace torsion::ssl
