#include <torsion/tls/x509_builder.hpp>

#include <algorithm>
#include <chrono>
#include <new>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/general_names.hpp>
#include <torsion/tls/identity.hpp>

namespace torsion::ssl {

namespace {

constexpr int kSerialNumberBits = 127;  // positive, and at most the 20 octets of RFC 5280

void check(int result) {
    if (result <= 0) throwFromQueue("The certificate cannot be made");
}

void setTime(ASN1_TIME* time, Validity::Clock::time_point point) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(point).time_since_epoch().count();
    check(callOpenSSL([&] { return ASN1_TIME_set(time, static_cast<time_t>(seconds)) != nullptr ? 1 : 0; }));
}

void addExtensionTo(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> extension(
        callOpenSSL([&] { return X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()); }));
    if (!extension) throwFromQueue("A certificate extension cannot be made");
    check(X509_add_ext(certificate, extension.get(), -1));
}

const char* extendedUse(CertificateUse use) {
    switch (use) {
        case CertificateUse::server: return "serverAuth";
        case CertificateUse::client: return "clientAuth";
        case CertificateUse::serverAndClient: return "serverAuth,clientAuth";
        case CertificateUse::authority: break;
    }
    return nullptr;  // would bind whom it signs, too
}

/// The names that @p request asks for, if they can be issued as they stand there, which is how they were approved:
/// what else Identity takes for a name, such as letters beyond ASCII, would become somebody else's.
std::vector<std::string> namesOf(const CertificateRequest& request) {
    std::vector<std::string> names = request.subjectAltNames();
    for (const std::string& name : names) {
        const std::string issued = Identity::parsePattern(name).name;
        const bool same = std::equal(name.begin(), name.end(), issued.begin(), issued.end(), [](char a, char b) {
            return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
        });
        if (!same) {
            throw ValueError("The request asks for the name '" + name + "', which a certificate would have as '" +
                             issued + "': it must ask for that");
        }
    }
    return names;
}

}  // namespace

const EVP_MD* digestFor(const PublicKey& key, std::string_view digest) {
    const int kind = EVP_PKEY_get_base_id(key.native());
    if (kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448) return nullptr;
    const EVP_MD* algorithm = EVP_get_digestbyname(std::string(digest).c_str());
    if (algorithm == nullptr) throw ValueError("There is no digest called " + printable(digest));
    return algorithm;
}

NamePointer nativeName(const DistinguishedName& name) {
    NamePointer native(X509_NAME_new());
    if (!native) throw std::bad_alloc();
    name.copyInto(native.get());
    return native;
}

X509Builder::X509Builder(const PublicKey& key, const X509_NAME* subject) : key_(key), certificate_(X509_new()) {
    if (!certificate_) throw std::bad_alloc();
    check(X509_set_version(certificate_.get(), X509_VERSION_3));
    check(callOpenSSL([&] { return X509_set_pubkey(certificate_.get(), key.native()); }));
    check(callOpenSSL([&] { return X509_set_subject_name(certificate_.get(), subject); }));
}

void X509Builder::setSerialNumber(std::optional<std::uint64_t> number) {
    ASN1_INTEGER* serial = X509_get_serialNumber(certificate_.get());
    if (number) {
        check(callOpenSSL([&] { return ASN1_INTEGER_set_uint64(serial, *number); }));
        return;
    }
    const BignumPointer random(BN_new());
    if (!random) throw std::bad_alloc();
    check(callOpenSSL([&] { return BN_rand(random.get(), kSerialNumberBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY); }));
    check(BN_to_ASN1_INTEGER(random.get(), serial) != nullptr ? 1 : 0);
}

void X509Builder::setValidity(const Validity& validity) {
    if (validity.until() < validity.from()) throw ValueError("A certificate cannot end before it begins");
    setTime(X509_getm_notBefore(certificate_.get()), validity.from());
    setTime(X509_getm_notAfter(certificate_.get()), validity.until());
}

void X509Builder::setSubjectAltNames(const std::vector<std::string>& names) {
    if (names.empty()) return;
    const GeneralNamesPointer list = generalNames(names);
    // RFC 5280, 4.2.1.6: critical if it is all that tells the subject.
    const int critical = X509_NAME_entry_count(X509_get_subject_name(certificate_.get())) == 0 ? 1 : 0;
    check(callOpenSSL([&] {
        return X509_add1_ext_i2d(certificate_.get(), NID_subject_alt_name, list.get(), critical, X509V3_ADD_REPLACE);
    }));
}

Certificate X509Builder::signedBySelf(const KeyPair& key) { return sign(certificate_.get(), key); }

Certificate X509Builder::signedBy(const Certificate& issuer, const KeyPair& issuerKey) {
    return sign(issuer.native(), issuerKey);
}

Certificate X509Builder::signedBy(const DistinguishedName& issuer, const KeyPair& issuerKey) {
    // Stands in for the issuer's certificate: it has what is copied of one.
    const CertificatePointer standIn(X509_new());
    if (!standIn) throw std::bad_alloc();
    check(X509_set_subject_name(standIn.get(), nativeName(issuer).get()));
    check(callOpenSSL([&] { return X509_set_pubkey(standIn.get(), issuerKey.native()); }));
    addExtensionTo(standIn.get(), standIn.get(), NID_subject_key_identifier, "hash");
    return sign(standIn.get(), issuerKey);
}

void X509Builder::addExtension(X509* issuer, int nid, const std::string& value) {
    addExtensionTo(certificate_.get(), issuer, nid, value);
}

Certificate X509Builder::sign(X509* issuer, const KeyPair& issuerKey) {
    const EVP_MD* digest = digestFor(issuerKey, digest_);
    const bool authority = use_ == CertificateUse::authority;
    check(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer)));
    addExtension(issuer, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    std::string usage = "critical,digitalSignature";
    if (EVP_PKEY_get_base_id(key_.native()) == EVP_PKEY_RSA) usage += ",keyEncipherment";
    if (authority) usage += ",keyCertSign,cRLSign";
    addExtension(issuer, NID_key_usage, usage);
    if (const char* extended = extendedUse(use_)) addExtension(issuer, NID_ext_key_usage, extended);
    addExtension(issuer, NID_subject_key_identifier, "hash");
    const bool issuerHasKeyId = X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
    if (issuerHasKeyId) addExtension(issuer, NID_authority_key_identifier, "keyid:always");
    check(callOpenSSL([&] { return X509_sign(certificate_.get(), issuerKey.native(), digest); }));
    // Read back what was written: OpenSSL remembers answers about a certificate that was looked at while it was made.
    return Certificate::load(Certificate::fromNative(certificate_.get()).dump());
}

X509Builder builderFor(const CertificateRequest& request, std::optional<std::uint64_t> serialNumber,
                       const Validity& validity, std::string_view digest, CertificateUse use) {
    X509Builder builder(request.getPublicKey(), X509_REQ_get_subject_name(request.native()));
    builder.setSerialNumber(serialNumber);
    builder.setValidity(validity);
    builder.setSubjectAltNames(namesOf(request));
    builder.setUse(use);
    builder.setDigest(digest);
    return builder;
}

}  // namespace torsion::ssl
