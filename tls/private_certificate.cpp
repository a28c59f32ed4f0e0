#include <torsion/tls/private_certificate.hpp>

#include <utility>

#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>
#include <torsion/tls/x509_builder.hpp>

namespace torsion::ssl {

PrivateCertificate::PrivateCertificate(const Certificate& certificate, const KeyPair& privateKey,
                                       std::vector<Certificate> chain)
    : Certificate(certificate), privateKey_(privateKey), chain_(std::move(chain)) {
    if (callOpenSSL([&] { return X509_check_private_key(native(), privateKey.native()); }) != 1) {
        ERR_clear_error();
        throw VerifyError("Certificate public and private keys do not match.", torsion::detail::Exactly{});
    }
}

PrivateCertificate PrivateCertificate::loadPEM(BytesView pem, Passphrase passphrase) {
    PEMContents contents = readPEM(pem);
    if (contents.certificates.empty()) throw Error("PEM data holds no certificate: " + contents.describe());
    if (!contents.key && !contents.encryptedKey) throw Error("PEM data holds no private key: " + contents.describe());
    const KeyPair key = contents.key ? *contents.key : contents.encryptedKey->decrypt(passphrase);
    const Certificate leaf = contents.certificates.front();
    contents.certificates.erase(contents.certificates.begin());
    return PrivateCertificate(leaf, key, std::move(contents.certificates));
}

PrivateCertificate PrivateCertificate::load(BytesView der, const KeyPair& privateKey) {
    return PrivateCertificate(Certificate::load(der), privateKey, {});
}

PrivateCertificate PrivateCertificate::fromCertificateAndKeyPair(const Certificate& certificate,
                                                                 const KeyPair& privateKey,
                                                                 std::vector<Certificate> chain) {
    return PrivateCertificate(certificate, privateKey, std::move(chain));
}

CertificateOptions PrivateCertificate::options() const { return CertificateOptions(*this); }

CertificateOptions PrivateCertificate::options(const std::vector<Certificate>& authorities) const {
    return CertificateOptions(CertificateOptions::Parameters(*this).trustRoot(TrustRoot(authorities)));
}

PrivateCertificate PrivateCertificate::issue(const KeyPair& key, const DistinguishedName& subject,
                                             const std::vector<std::string>& subjectAltNames, const Validity& validity,
                                             bool authority) const {
    X509Builder builder(key, nativeName(subject).get());
    builder.setSerialNumber(std::nullopt);
    builder.setValidity(validity);
    builder.setSubjectAltNames(subjectAltNames);
    builder.setUse(authority ? CertificateUse::authority : CertificateUse::serverAndClient);
    std::vector<Certificate> chain;
    if (!isSelfIssued()) {  // a root is with whoever trusts it, and need not be sent
        chain.push_back(*this);
        chain.insert(chain.end(), chain_.begin(), chain_.end());
    }
    return PrivateCertificate(builder.signedBy(*this, privateKey_), key, std::move(chain));
}

Bytes PrivateCertificate::certificateRequest(const DistinguishedName& subject,
                                             const std::vector<std::string>& subjectAltNames,
                                             std::string_view digest) const {
    return privateKey_.certificateRequest(subject, subjectAltNames, digest);
}

PrivateCertificate PrivateCertificate::newCertificate(BytesView certificate) const {
    return load(certificate, privateKey_);
}

Certificate PrivateCertificate::signRequestObject(const CertificateRequest& request,
                                                  std::optional<std::uint64_t> serialNumber, const Validity& validity,
                                                  std::string_view digest, CertificateUse use) const {
    X509Builder builder = builderFor(request, serialNumber, validity, digest, use);
    return builder.signedBy(*this, privateKey_);
}

std::string PrivateCertificate::dumpCertificatesPEM() const {
    std::string text = Certificate::dumpPEM();
    for (const Certificate& certificate : chain_) text += certificate.dumpPEM();
    return text;
}

std::string PrivateCertificate::dumpPEM() const { return dumpCertificatesPEM() + privateKey_.dumpPEM(); }

std::string PrivateCertificate::dumpPEM(std::string_view passphrase) const {
    return dumpCertificatesPEM() + privateKey_.dumpPEM(passphrase);
}

std::string PrivateCertificate::str() const {
    return "<PrivateCertificate " + names() + " with " + privateKey_.str() + ">";
}

std::string PrivateCertificate::inspect() const { return describe() + "\n" + privateKey_.inspect(); }

}  // namespace torsion::ssl
