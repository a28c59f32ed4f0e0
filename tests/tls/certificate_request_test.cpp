#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <openssl/pem.h>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/private_certificate.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;
using torsion::test::messageOf;

namespace {

const DistinguishedName kSubject{{"CN", "a subject"}, {"O", "Org"}, {"OU", "one"}, {"OU", "two"}};

/// Verifies as `openssl verify -x509_strict` does. @return OpenSSL's verdict, "ok" if all is well
std::string strictly(const Certificate& leaf, const std::vector<Certificate>& between, const Certificate& root,
                     int purpose) {
    const std::unique_ptr<X509_STORE, Freer<X509_STORE_free>> store(X509_STORE_new());
    const std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    X509_STORE_add_cert(store.get(), root.native());
    STACK_OF(X509)* chain = sk_X509_new_null();
    for (const Certificate& certificate : between) sk_X509_push(chain, certificate.native());
    REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), leaf.native(), chain) == 1);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context.get()), X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_purpose(context.get(), purpose);
    X509_verify_cert(context.get());
    sk_X509_free(chain);
    ERR_clear_error();
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

/// What `openssl x509 -ext` would show of one extension.
std::string extension(const Certificate& certificate, int nid) {
    const int index = X509_get_ext_by_NID(certificate.native(), nid, -1);
    if (index < 0) return "none";
    X509_EXTENSION* found = X509_get_ext(certificate.native(), index);
    const BIOPointer bio = collectingBIO();
    REQUIRE(X509V3_EXT_print(bio.get(), found, 0, 0) == 1);
    return (X509_EXTENSION_get_critical(found) == 1 ? "critical " : "") + contents(bio.get());
}

bool approve(const CertificateRequest&) { return true; }

}  // namespace

TEST_CASE("a request carries a subject, a key and names, and survives DER and PEM") {
    for (const KeyPair::Kind kind : {KeyPair::Kind::rsa, KeyPair::Kind::ec, KeyPair::Kind::ed25519}) {
        const KeyPair key = KeyPair::generate(kind);
        const CertificateRequest request = key.requestObject(kSubject, {"127.0.0.1", "Example.com", "*.example.com"});
        CHECK(request.getSubject() == kSubject);
        CHECK(request.getPublicKey().matches(key));
        CHECK(request.subjectAltNames() == std::vector<std::string>{"example.com", "*.example.com", "127.0.0.1"});
        CHECK(CertificateRequest::load(request.dump()) == request);
        CHECK(CertificateRequest::loadPEM(request.dumpPEM()) == request);
        CHECK(CertificateRequest::load(key.certificateRequest(kSubject)).getSubject() == kSubject);
        CHECK(ERR_peek_error() == 0);
    }
    const CertificateRequest request = someKey().requestObject(kSubject);
    CHECK(request.dumpPEM().starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    CHECK(request.subjectAltNames().empty());
    CHECK_FALSE(request == otherKey().requestObject(kSubject));
    CHECK(request.str() == "<CertificateRequest Subject=a subject>");
    CHECK(contains(request.inspect(), "Common Name: a subject\n"));
    CHECK(request.inspect().ends_with(someKey().PublicKey::inspect()));
    CHECK(
        CertificateRequest::load(exampleCertificate().certificateRequest(kSubject)).getPublicKey().matches(someKey()));
}

TEST_CASE("requests are signed with SHA-256 unless told otherwise (CFG-14)") {
    const auto digestOf = [](const CertificateRequest& request) {
        return X509_REQ_get_signature_nid(request.native());
    };
    CHECK(digestOf(someKey().requestObject(kSubject)) == NID_ecdsa_with_SHA256);
    CHECK(digestOf(someKey().requestObject(kSubject, {}, "sha512")) == NID_ecdsa_with_SHA512);
    CHECK_THROWS_AS(someKey().requestObject(kSubject, {}, "no such"), ValueError);
    CHECK_THROWS_AS(someKey().requestObject(kSubject, {"not a name"}), ValueError);
}

TEST_CASE("a request that its own key has not signed is a VerifyError at once (CFG-13)") {
    Bytes der = someKey().certificateRequest(kSubject);
    der.back() = static_cast<char>(der.back() ^ 1);
    CHECK(messageOf<VerifyError>([&] { CertificateRequest::load(der); }) ==
          "Can't verify that request for " + kSubject.str() + " is self-signed.");
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("what is no request is refused with words that say so") {
    const std::string certificate = exampleCertificate().dumpPEM();
    CHECK(contains(messageOf<ssl::Error>([] { CertificateRequest::load("garbage"); }),
                   "not a certificate request in DER"));
    CHECK(contains(messageOf<ssl::Error>([&] { CertificateRequest::loadPEM(certificate); }),
                   "holds no certificate request: it holds a certificate, a private key"));
    const std::string request = someKey().requestObject(kSubject).dumpPEM();
    CHECK(contains(messageOf<ssl::Error>([&] { Certificate::loadPEM(request); }), "a certificate request"));
    for (std::size_t size = 0; size + 1 < request.size(); size += 7) {
        CHECK_THROWS_AS(CertificateRequest::loadPEM(request.substr(0, size)), ssl::Error);
    }
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("signRequestObject makes a certificate of the request's subject, key and names (CFG-13)") {
    const CertificateRequest request = someKey().requestObject(kSubject, {"example.com", "::1"});
    const Certificate certificate = authority().signRequestObject(request, 5);
    CHECK(certificate.serialNumber() == "5");
    CHECK(certificate.getSubject() == kSubject);
    CHECK(certificate.getIssuer() == authority().getSubject());
    CHECK(certificate.getPublicKey().matches(someKey()));
    CHECK(certificate.subjectAltNames() == std::vector<std::string>{"example.com", "::1"});
    CHECK(X509_get_signature_nid(certificate.native()) == NID_ecdsa_with_SHA256);
    int days = 0;
    int seconds = 0;
    REQUIRE(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate.native()),
                           X509_get0_notAfter(certificate.native())) == 1);
    CHECK(days == 365);
    CHECK(strictly(certificate, {}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");
    CHECK(strictly(certificate, {}, authority(), X509_PURPOSE_SSL_CLIENT) == "ok");
    CHECK_FALSE(authority().signRequestObject(request).serialNumber() ==
                authority().signRequestObject(request).serialNumber());

    const auto other = authority().signRequestObject(request, 6, Validity(std::chrono::hours(24)), "sha384");
    CHECK(X509_get_signature_nid(other.native()) == NID_ecdsa_with_SHA384);
    CHECK_THROWS_AS(authority().signRequestObject(request, 7, Validity(), "no such"), ValueError);
}

TEST_CASE("a key signs as the authority that it is told to be (CFG-13)") {
    const CertificateRequest request = someKey().requestObject(kSubject, {"example.com"});
    const Certificate certificate = otherKey().signRequestObject(authority().getSubject(), request, 5);
    CHECK(certificate.getIssuer() == authority().getSubject());
    CHECK(strictly(certificate, {}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");
    const Bytes der = otherKey().signCertificateRequest(authority().getSubject(), request.dump(), approve, 5);
    CHECK(Certificate::load(der).serialNumber() == "5");
}

TEST_CASE("certificates say what they are for, and are held to it") {
    const CertificateRequest request = someKey().requestObject(kSubject, {"example.com"});
    const auto signedFor = [&](CertificateUse use) {
        return authority().signRequestObject(request, 1, Validity(), kDefaultDigest, use);
    };
    const Certificate both = signedFor(CertificateUse::serverAndClient);
    const Certificate server = signedFor(CertificateUse::server);
    const Certificate client = signedFor(CertificateUse::client);
    const Certificate between = signedFor(CertificateUse::authority);
    CHECK(extension(both, NID_basic_constraints) == "critical CA:FALSE");
    CHECK(extension(both, NID_key_usage) == "critical Digital Signature");
    CHECK(extension(both, NID_ext_key_usage) == "TLS Web Server Authentication, TLS Web Client Authentication");
    CHECK(extension(between, NID_basic_constraints) == "critical CA:TRUE");
    CHECK(extension(between, NID_key_usage) == "critical Digital Signature, Certificate Sign, CRL Sign");
    CHECK(extension(between, NID_ext_key_usage) == "none");
    CHECK(extension(both, NID_authority_key_identifier) == extension(authority(), NID_subject_key_identifier));
    const KeyPair rsa = KeyPair::generate();
    CHECK(extension(authority().issue(rsa, kSubject), NID_key_usage) == "critical Digital Signature, Key Encipherment");

    CHECK(strictly(server, {}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");
    CHECK_FALSE(strictly(server, {}, authority(), X509_PURPOSE_SSL_CLIENT) == "ok");
    CHECK(strictly(client, {}, authority(), X509_PURPOSE_SSL_CLIENT) == "ok");
    CHECK_FALSE(strictly(client, {}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");
    const auto own = PrivateCertificate::fromCertificateAndKeyPair(between, someKey());
    const PrivateCertificate leaf = own.issue(otherKey(), DistinguishedName{{"CN", "leaf"}}, {"example.com"});
    CHECK(strictly(leaf, {between}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");

    const auto serving = PrivateCertificate::fromCertificateAndKeyPair(client, someKey());
    const Handshake result = shake(optionsForClientTLS("example.com", authority()), serving.options());
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->check<CertificateVerifyError>());
}

TEST_CASE("a certificate without a subject has its names marked critical (RFC 5280)") {
    const CertificateRequest request = someKey().requestObject(DistinguishedName(), {"example.com"});
    const Certificate certificate = authority().signRequestObject(request);
    CHECK(extension(certificate, NID_subject_alt_name).starts_with("critical "));
    CHECK(strictly(certificate, {}, authority(), X509_PURPOSE_SSL_SERVER) == "ok");
}

TEST_CASE("a certificate is strictly right with keys of every kind on both sides") {
    for (const KeyPair::Kind kind : {KeyPair::Kind::rsa, KeyPair::Kind::ec, KeyPair::Kind::ed25519}) {
        const PrivateCertificate root = KeyPair::generate(kind).selfSignedCert(1, DistinguishedName{{"CN", "root"}});
        CHECK(strictly(root, {}, root, X509_PURPOSE_ANY) == "ok");
        for (const KeyPair& key : {someKey(), KeyPair::generate(KeyPair::Kind::ed25519)}) {
            const Certificate leaf = root.signRequestObject(key.requestObject(kSubject, {"example.com"}));
            CHECK(strictly(leaf, {}, root, X509_PURPOSE_SSL_SERVER) == "ok");
        }
    }
}

TEST_CASE("a request's wish to be an authority is not granted") {
    const std::unique_ptr<X509_REQ, Freer<X509_REQ_free>> native(X509_REQ_new());
    X509_REQ_set_pubkey(native.get(), someKey().native());
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE"));
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                           "DNS:example.com,email:a@b.example,URI:http://b.example"));
    REQUIRE(X509_REQ_add_extensions(native.get(), extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    REQUIRE(X509_REQ_sign(native.get(), someKey().native(), EVP_sha256()) > 0);
    const CertificateRequest request = CertificateRequest::fromNative(native.get());
    CHECK(request.subjectAltNames() == std::vector<std::string>{"example.com"});
    const Certificate certificate = authority().signRequestObject(request);
    CHECK(X509_check_ca(certificate.native()) == 0);
    CHECK(extension(certificate, NID_subject_alt_name) == "critical DNS:example.com");
}

TEST_CASE("a request for what is no host name is not signed") {
    const std::unique_ptr<X509_REQ, Freer<X509_REQ_free>> native(X509_REQ_new());
    X509_REQ_set_pubkey(native.get(), someKey().native());
    const GeneralNamesPointer names(sk_GENERAL_NAME_new_null());
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, "example.com\0.evil.example", 25);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names.get(), name);
    STACK_OF(X509_EXTENSION)* extensions = nullptr;
    REQUIRE(X509V3_add1_i2d(&extensions, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1);
    REQUIRE(X509_REQ_add_extensions(native.get(), extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    REQUIRE(X509_REQ_sign(native.get(), someKey().native(), EVP_sha256()) > 0);
    const CertificateRequest request = CertificateRequest::fromNative(native.get());
    CHECK(request.subjectAltNames() == std::vector<std::string>{"example.com?.evil.example"});
    CHECK_THROWS_AS(authority().signRequestObject(request), ValueError);
}

TEST_CASE("signCertificateRequest asks its callback, and signs if that says yes (CFG-13)") {
    const Bytes request = someKey().certificateRequest(kSubject);
    std::optional<DistinguishedName> seen;
    const Bytes der = authority().signCertificateRequest(
        request,
        [&](const DistinguishedName& subject) {
            seen = subject;
            return true;
        },
        77);
    CHECK(seen == kSubject);
    const Certificate certificate = Certificate::load(der);
    CHECK(certificate.serialNumber() == "77");
    CHECK(strictly(certificate, {}, authority(), X509_PURPOSE_SSL_CLIENT) == "ok");
    CHECK(messageOf<VerifyError>([&] {
              authority().signCertificateRequest(
                  request, [](const DistinguishedName&) { return false; }, 77);
          }) == "The callback rejected the request of " + kSubject.str());
    CHECK_THROWS_AS(authority().signCertificateRequest("garbage", approve, 77), ssl::Error);
}

TEST_CASE("a callback may take its time and answer with a Deferred (CFG-13)") {
    const Bytes request = someKey().certificateRequest(kSubject);
    Deferred<bool> answer;
    std::optional<Bytes> made;
    std::optional<PrivateCertificate> shortLived = otherKey().selfSignedCert(3, authority().getSubject());
    shortLived
        ->signCertificateRequest(
            request, [&](const CertificateRequest&) { return answer; }, 78)
        .addCallback([&](const Bytes& der) { made = der; });
    shortLived.reset();
    CHECK_FALSE(made);
    answer.callback(true);
    REQUIRE(made);
    CHECK(Certificate::load(*made).serialNumber() == "78");

    Deferred<bool> no;
    std::string refusal;
    authority()
        .signCertificateRequest(
            request, [&](const DistinguishedName&) { return no; }, 79)
        .addCallbacks([](const Bytes&) { FAIL_CHECK("signed"); },
                      [&](const Failure& failure) {
                          CHECK(failure.check<VerifyError>());
                          refusal = failure.getErrorMessage();
                      });
    no.callback(false);
    CHECK(contains(refusal, "rejected the request"));

    bool failed = false;
    otherKey()
        .signCertificateRequest(
            kSubject, request, [](const DistinguishedName&) { return defer::fail<bool>(RuntimeError("no database")); },
            80)
        .addErrback([&](const Failure& failure) {
            failed = failure.check<RuntimeError>();
            return Bytes();
        });
    CHECK(failed);
}

TEST_CASE("a callback that sees the distinguished name alone does not approve of other names") {
    const Bytes request = someKey().certificateRequest(kSubject, {"bank.example"});
    const std::string text = messageOf<VerifyError>([&] {
        authority().signCertificateRequest(
            request, [](const DistinguishedName&) { return true; }, 1);
    });
    CHECK(contains(text, "also asks for the names bank.example"));
    CHECK(contains(text, "CertificateRequest"));
    CHECK(Certificate::load(authority().signCertificateRequest(request, approve)).subjectAltNames() ==
          std::vector<std::string>{"bank.example"});
}

TEST_CASE("newCertificate joins a key with the certificate that was made for it (CFG-13)") {
    const Bytes der = authority().signRequestObject(someKey().requestObject(kSubject)).dump();
    CHECK(someKey().newCertificate(der).privateKey().matches(someKey()));
    CHECK(exampleCertificate().newCertificate(der).getSubject() == kSubject);
    CHECK_THROWS_AS(otherKey().newCertificate(der), VerifyError);
    CHECK_THROWS_AS(someKey().newCertificate("garbage"), ssl::Error);
}
