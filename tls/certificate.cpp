#include <torsion/tls/certificate.hpp>

#include <array>
#include <new>
#include <utility>

#include <openssl/pem.h>

#include <torsion/core/abilities.hpp>
#include <torsion/core/transport.hpp>
#include <torsion/tls/der.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/general_names.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>
#include <torsion/tls/public_key_pin.hpp>

namespace torsion::ssl {

Certificate Certificate::fromNative(x509_st* native) {
    if (X509_up_ref(native) != 1) throw std::bad_alloc();
    return Certificate(std::shared_ptr<x509_st>(native, Freer<X509_free>()));
}

Certificate Certificate::load(BytesView der) {
    const CertificatePointer native(readDER(d2i_X509, der));
    if (!native) throwFromQueue("This is not a certificate in DER");
    return fromNative(native.get());
}

Certificate Certificate::loadPEM(BytesView pem) { return loadAllPEM(pem).front(); }

std::vector<Certificate> Certificate::loadAllPEM(BytesView pem) {
    PEMContents contents = readPEM(pem);
    if (contents.certificates.empty()) throw Error("PEM data holds no certificate: " + contents.describe());
    return std::move(contents.certificates);
}

Certificate Certificate::peerFromTransport(Transport& transport) {
    const auto* secure = transport.query<SSLTransport>();
    if (secure == nullptr) throw CertificateError("the connection is not under TLS");
    const std::shared_ptr<const Certificate> certificate = secure->getPeerCertificate();
    if (!certificate) throw CertificateError("the peer has sent none, or the handshake is not done");
    return *certificate;
}

Bytes Certificate::dump() const {
    return writeDER([&](unsigned char** data) { return i2d_X509(native(), data); },
                    "The certificate cannot be written as DER");
}

std::string Certificate::dumpPEM() const {
    const BIOPointer bio = collectingBIO();
    if (callOpenSSL([&] { return PEM_write_bio_X509(bio.get(), native()); }) != 1) {
        throwFromQueue("The certificate cannot be written as PEM");
    }
    return contents(bio.get());
}

DistinguishedName Certificate::getSubject() const {
    return DistinguishedName::fromNative(X509_get_subject_name(native()));
}

DistinguishedName Certificate::getIssuer() const {
    return DistinguishedName::fromNative(X509_get_issuer_name(native()));
}

PublicKey Certificate::getPublicKey() const {
    EVP_PKEY* key = callOpenSSL([&] { return X509_get0_pubkey(native()); });
    if (key == nullptr) throwFromQueue("The certificate's public key cannot be read");
    return PublicKey::fromNative(key);
}

std::string Certificate::serialNumber() const {
    const BignumPointer number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(native()), nullptr));
    const std::unique_ptr<char, void (*)(char*)> digits(number ? BN_bn2dec(number.get()) : nullptr,
                                                        [](char* p) { OPENSSL_free(p); });
    if (!digits) throwFromQueue("The serial number cannot be read");
    return digits.get();
}

std::string Certificate::digest(std::string_view method) const {
    const EVP_MD* algorithm = EVP_get_digestbyname(std::string(method).c_str());
    if (algorithm == nullptr) throw ValueError("There is no digest called " + printable(method));
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    if (callOpenSSL([&] { return X509_digest(native(), algorithm, octets.data(), &size); }) != 1) {
        throwFromQueue("The digest " + std::string(method) + " is not available");
    }
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
        if (i > 0) text += ':';
        text += kDigits[octets[i] >> 4U];
        text += kDigits[octets[i] & 15U];
    }
    return text;
}

std::string Certificate::publicKeyPin() const { return ssl::publicKeyPin(native()); }

std::vector<std::string> Certificate::subjectAltNames() const {
    const GeneralNamesPointer names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(native(), NID_subject_alt_name, nullptr, nullptr)));
    return textsOf(names.get());
}

bool Certificate::isSelfIssued() const {
    return X509_NAME_cmp(X509_get_subject_name(native()), X509_get_issuer_name(native())) == 0;
}

bool Certificate::operator==(const Certificate& other) const noexcept {
    return native_ == other.native_ || X509_cmp(native(), other.native()) == 0;
}

std::string Certificate::names() const {
    return "Subject=" + printable(getSubject().commonName()) + " Issuer=" + printable(getIssuer().commonName());
}

std::string Certificate::str() const { return "<Certificate " + names() + ">"; }

std::string Certificate::describe() const {
    std::string text = "Certificate For Subject:\n" + getSubject().inspect() + "\nIssuer:\n" + getIssuer().inspect() +
                       "\nSerial Number: " + serialNumber() + "\nDigest: " + digest();
    const std::vector<std::string> alternatives = subjectAltNames();
    if (!alternatives.empty()) text += "\nNames: " + join(alternatives);
    return text;
}

std::string Certificate::inspect() const { return describe() + "\n" + getPublicKey().inspect(); }

}  // namespace torsion::ssl
