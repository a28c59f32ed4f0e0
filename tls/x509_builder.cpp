#include <torsion/tls/x509_builder.hpp>

#include <array>
#include <chrono>
#include <new>

#include <torsion/tls/errors.hpp>
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

void append(GENERAL_NAMES* names, const Identity& identity) {
    std::unique_ptr<GENERAL_NAME, Freer<GENERAL_NAME_free>> name(GENERAL_NAME_new());
    if (!name) throw std::bad_alloc();
    if (identity.isAddress) {
        ASN1_OCTET_STRING* address = a2i_IPADDRESS(identity.name.c_str());
        if (address == nullptr) throwFromQueue("The address " + identity.name + " cannot stand in a certificate");
        GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    } else {
        std::unique_ptr<ASN1_IA5STRING, Freer<ASN1_IA5STRING_free>> text(ASN1_IA5STRING_new());
        if (!text) throw std::bad_alloc();
        check(ASN1_STRING_set(text.get(), identity.name.data(), static_cast<int>(identity.name.size())));
        GENERAL_NAME_set0_value(name.get(), GEN_DNS, text.release());
    }
    check(sk_GENERAL_NAME_push(names, name.get()));
    static_cast<void>(name.release());
}

}  // namespace

X509Builder::X509Builder(const KeyPair& key, const DistinguishedName& subject) : key_(key), certificate_(X509_new()) {
    if (!certificate_) throw std::bad_alloc();
    check(X509_set_version(certificate_.get(), X509_VERSION_3));
    check(callOpenSSL([&] { return X509_set_pubkey(certificate_.get(), key.native()); }));
    subject.copyInto(X509_get_subject_name(certificate_.get()));
}

void X509Builder::setSerialNumber(std::uint64_t number) {
    check(callOpenSSL([&] { return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate_.get()), number); }));
}

void X509Builder::setRandomSerialNumber() {
    const BignumPointer number(BN_new());
    if (!number) throw std::bad_alloc();
    check(callOpenSSL([&] { return BN_rand(number.get(), kSerialNumberBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY); }));
    ASN1_INTEGER* serial = BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate_.get()));
    check(serial != nullptr ? 1 : 0);
}

void X509Builder::setValidity(const Validity& validity) {
    if (validity.until() < validity.from()) throw ValueError("A certificate cannot end before it begins");
    setTime(X509_getm_notBefore(certificate_.get()), validity.from());
    setTime(X509_getm_notAfter(certificate_.get()), validity.until());
}

void X509Builder::setSubjectAltNames(const std::vector<std::string>& names) {
    if (names.empty()) return;
    const GeneralNamesPointer list(sk_GENERAL_NAME_new_null());
    if (!list) throw std::bad_alloc();
    for (const std::string& name : names) append(list.get(), Identity::parsePattern(name));
    // RFC 5280, 4.2.1.6: critical if it is all that tells the subject.
    const int critical = X509_NAME_entry_count(X509_get_subject_name(certificate_.get())) == 0 ? 1 : 0;
    check(callOpenSSL([&] {
        return X509_add1_ext_i2d(certificate_.get(), NID_subject_alt_name, list.get(), critical, X509V3_ADD_REPLACE);
    }));
}

Certificate X509Builder::signedBySelf() { return sign(certificate_.get(), key_); }

Certificate X509Builder::signedBy(const Certificate& issuer, const KeyPair& issuerKey) {
    return sign(issuer.native(), issuerKey);
}

void X509Builder::addExtension(X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate_.get(), nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> extension(
        callOpenSSL([&] { return X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()); }));
    if (!extension) throwFromQueue("A certificate extension cannot be made");
    check(X509_add_ext(certificate_.get(), extension.get(), -1));
}

Certificate X509Builder::sign(X509* issuer, const KeyPair& issuerKey) {
    check(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer)));
    addExtension(issuer, NID_basic_constraints, authority_ ? "critical,CA:TRUE" : "critical,CA:FALSE");
    std::string usage = "critical,digitalSignature";
    if (EVP_PKEY_get_base_id(key_.native()) == EVP_PKEY_RSA) usage += ",keyEncipherment";
    if (authority_) usage += ",keyCertSign,cRLSign";
    addExtension(issuer, NID_key_usage, usage);
    addExtension(issuer, NID_subject_key_identifier, "hash");
    const bool issuerHasKeyId = X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
    if (issuerHasKeyId) addExtension(issuer, NID_authority_key_identifier, "keyid:always");
    check(callOpenSSL([&] { return X509_sign(certificate_.get(), issuerKey.native(), EVP_sha256()); }));
    // Read back what was written: OpenSSL remembers answers about a certificate that was looked at while it was made.
    return Certificate::load(Certificate::fromNative(certificate_.get()).dump());
}

}  // namespace torsion::ssl
