#include <torsion/tls/certificate.hpp>

#include <arpa/inet.h>

#include <array>
#include <new>
#include <utility>

#include <openssl/pem.h>

#include <torsion/core/abilities.hpp>
#include <torsion/core/transport.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>

namespace torsion::ssl {

namespace {

std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

std::string textOfAddress(const ASN1_OCTET_STRING* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int size = ASN1_STRING_length(address);
    const int family = size == 4 ? AF_INET : size == 16 ? AF_INET6 : AF_UNSPEC;
    if (family == AF_UNSPEC) return {};
    return inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
}

}  // namespace

Certificate Certificate::fromNative(x509_st* native) {
    if (X509_up_ref(native) != 1) throw std::bad_alloc();
    return Certificate(std::shared_ptr<x509_st>(native, Freer<X509_free>()));
}

Certificate Certificate::load(BytesView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    const CertificatePointer native(
        callOpenSSL([&] { return d2i_X509(nullptr, &data, static_cast<long>(der.size())); }));
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
    unsigned char* data = nullptr;
    const int size = callOpenSSL([&] { return i2d_X509(native(), &data); });
    if (size < 0) throwFromQueue("The certificate cannot be written as DER");
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    return Bytes(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
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

std::vector<std::string> Certificate::subjectAltNames() const {
    const GeneralNamesPointer names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(native(), NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> result;
    std::vector<std::string> addresses;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
            result.push_back(printable(text));
        } else if (name->type == GEN_IPADD) {
            if (std::string address = textOfAddress(name->d.iPAddress); !address.empty()) {
                addresses.push_back(std::move(address));
            }
        }
    }
    result.insert(result.end(), addresses.begin(), addresses.end());
    return result;
}

bool Certificate::isSelfIssued() const {
    return X509_NAME_cmp(X509_get_subject_name(native()), X509_get_issuer_name(native())) == 0;
}

bool Certificate::operator==(const Certificate& other) const noexcept {
    return native_ == other.native_ || X509_cmp(native(), other.native()) == 0;
}

std::string Certificate::str() const {
    return "<Certificate Subject=" + printable(getSubject().commonName()) +
           " Issuer=" + printable(getIssuer().commonName()) + ">";
}

std::string Certificate::inspect() const {
    std::string text = "Certificate For Subject:\n" + getSubject().inspect() + "\nIssuer:\n" + getIssuer().inspect() +
                       "\nSerial Number: " + serialNumber() + "\nDigest: " + digest();
    const std::vector<std::string> names = subjectAltNames();
    if (!names.empty()) text += "\nNames: " + join(names);
    return text;
}

}  // namespace torsion::ssl
