#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/client_options.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;

namespace {

using Parameters = CertificateOptions::Parameters;

Validity past() {
    const auto now = Validity::Clock::now();
    return Validity(now - std::chrono::hours(48), now - std::chrono::hours(24));
}

Validity future() {
    const auto now = Validity::Clock::now();
    return Validity(now + std::chrono::hours(24), now + std::chrono::hours(48));
}

/// A certificate that is no authority and signed itself, unlike ours: without any extension but the name.
PrivateCertificate bareSelfSigned() {
    const CertificatePointer native(X509_new());
    X509_set_version(native.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(native.get()), 5);
    X509_gmtime_adj(X509_getm_notBefore(native.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(native.get()), 3600);
    X509_set_pubkey(native.get(), someKey().native());
    DistinguishedName{{"CN", "bare"}}.copyInto(X509_get_subject_name(native.get()));
    DistinguishedName{{"CN", "bare"}}.copyInto(X509_get_issuer_name(native.get()));
    for (const auto& [nid, value] :
         {std::pair(NID_basic_constraints, "critical,CA:FALSE"), std::pair(NID_subject_alt_name, "DNS:example.com")}) {
        X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value);
        X509_add_ext(native.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(native.get(), someKey().native(), EVP_sha256());
    return PrivateCertificate::load(Certificate::fromNative(native.get()).dump(), someKey());
}

Handshake shakeWith(const PrivateCertificate& server, const TrustRoot& trust,
                    std::string_view hostname = "example.com") {
    return shake(optionsForClientTLS(hostname, trust), server.options());
}

}  // namespace

TEST_CASE(
    "a client takes a Certificate, a PrivateCertificate and a client certificate where the documents do (TT-26)") {
    const Certificate certificate = Certificate::loadPEM(exampleCertificate().dumpPEM());
    CHECK(shake(optionsForClientTLS("example.com", certificate), exampleCertificate().options()).ok());
    CHECK(shake(optionsForClientTLS("example.com", exampleCertificate()), exampleCertificate().options()).ok());
    CHECK(shake(optionsForClientTLS("example.com", certificate, exampleCertificate()),
                exampleCertificate().options(certificate))
              .ok());
    CHECK(shake(optionsForClientTLS("example.com", trustRootFromCertificates({authority(), certificate})),
                exampleCertificate().options())
              .ok());
}

TEST_CASE("the peer's certificate is there after the handshake") {
    const Handshake result = shakeWith(exampleCertificate(), exampleCertificate());
    REQUIRE(result.client->peerCertificate());
    CHECK(result.client->peerCertificate()->str() == "<Certificate Subject=example.com Issuer=example.com>");
    CHECK_FALSE(result.server->peerCertificate().has_value());
    const std::unique_ptr<Session> fresh = optionsForClientTLS("example.com", authority()).newSession(Role::client, {});
    CHECK_FALSE(fresh->peerCertificate().has_value());
    CHECK_FALSE(fresh->negotiatedProtocol().has_value());
    CHECK(fresh->version().empty());
    CHECK(fresh->cipher().empty());
}

TEST_CASE("a wrong host name is a VerificationError within the handshake (TLS-9, TLS-11) (CFG-11, CFG-16)") {
    const Handshake result = shakeWith(issued({"example.org", "192.0.2.1"}), authority());
    CHECK_FALSE(result.clientDone);
    CHECK_FALSE(result.serverDone);
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->check<VerificationError>());
    CHECK_FALSE(result.clientFailure->check<ConnectionClosed>());
    CHECK(contains(result.clientText(), "not for 'example.com'"));
    CHECK(contains(result.clientText(), "'example.org', '192.0.2.1'"));
    CHECK(contains(result.serverText(), "bad_certificate"));
}

TEST_CASE("a certificate without names is for nobody: the common name does not count (CFG-11)") {
    const PrivateCertificate nameless = someKey().selfSignedCert(3, DistinguishedName{{"CN", "example.com"}});
    const Handshake result = shakeWith(nameless, nameless);
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->check<VerificationError>());
    CHECK(contains(result.clientText(), "no subjectAltName"));
}

TEST_CASE("an untrusted issuer, an expired and a premature certificate are told apart") {
    const auto refusal = [](const PrivateCertificate& server, const TrustRoot& trust) {
        const Handshake result = shakeWith(server, trust);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        CHECK_FALSE(result.clientFailure->check<VerificationError>());
        CHECK_FALSE(result.clientFailure->check<ConnectionClosed>());
        CHECK_FALSE(result.clientDone);
        return result.clientText();
    };
    const std::string selfSigned = refusal(exampleCertificate(), authority());
    CHECK(contains(selfSigned, "self-signed certificate"));
    CHECK(contains(selfSigned, "subject 'example.com', depth 0"));
    const std::string unknown = refusal(issued({"example.com"}), exampleCertificate());
    CHECK(contains(unknown, "its issuer 'Test Authority' is neither among our trust roots nor sent"));
    CHECK(contains(unknown, "certificate verify failed"));
    CHECK(contains(refusal(issued({"example.com"}, past()), authority()), "it expired at "));
    CHECK(contains(refusal(issued({"example.com"}, future()), authority()), "it is valid from "));
}

TEST_CASE("the server learns by an alert why it was refused") {
    const Handshake unknown = shakeWith(issued({"example.com"}), exampleCertificate());
    CHECK(unknown.serverFailure->value<ssl::Error>()->alert() == 48);
    CHECK(contains(unknown.serverText(), "unknown_ca"));
    const Handshake expired = shakeWith(issued({"example.com"}, past()), authority());
    CHECK(expired.serverFailure->value<ssl::Error>()->alert() == 45);
    CHECK(contains(expired.serverText(), "certificate_expired"));
}

TEST_CASE("a self-signed certificate is its own trust root, whether it is an authority or not (TT-26)") {
    CHECK(shakeWith(exampleCertificate(), exampleCertificate()).ok());
    const PrivateCertificate bare = bareSelfSigned();
    const Handshake result = shakeWith(bare, bare);
    CHECK_MESSAGE(result.ok(), result.clientText());
}

TEST_CASE("one that another authority signed is no trust root, as in Twisted") {
    const PrivateCertificate leaf = issued({"example.com"});
    CHECK_FALSE(shakeWith(leaf, leaf).ok());
    const PrivateCertificate between =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate end = between.issue(someKey(), DistinguishedName{{"CN", "end"}}, {"example.com"});
    CHECK_FALSE(shakeWith(end, between).ok());
    CHECK(shakeWith(end, authority()).ok());
}

TEST_CASE("a leaf cannot act as an authority") {
    const PrivateCertificate leaf = issued({"example.com"});
    const PrivateCertificate forged = leaf.issue(someKey(), DistinguishedName{{"CN", "forged"}}, {"example.com"});
    REQUIRE(forged.chain().size() == 1);
    CHECK(shakeWith(forged, authority()).clientFailure->check<CertificateVerifyError>());
}

TEST_CASE("without its intermediate a chain is not accepted (TT-24)") {
    const PrivateCertificate between =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate end = between.issue(someKey(), DistinguishedName{{"CN", "end"}}, {"example.com"});
    const auto alone = PrivateCertificate::fromCertificateAndKeyPair(end, end.privateKey());
    CHECK_FALSE(shakeWith(alone, authority()).ok());
    CHECK(shakeWith(end, authority()).ok());
}

TEST_CASE("the platform's roots do not know our certificate (TT-25)") {
    const Handshake result = shake(optionsForClientTLS("example.com"), exampleCertificate().options());
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->check<CertificateVerifyError>());
}

TEST_CASE("platformTrust heeds SSL_CERT_FILE, and notices when it changes (CFG-16) (TT-25)") {
    std::string path = "torsion-roots-XXXXXX";
    const int descriptor = mkstemp(path.data());
    REQUIRE(descriptor >= 0);
    std::FILE* file = fdopen(descriptor, "w");
    std::fputs(exampleCertificate().Certificate::dumpPEM().c_str(), file);
    std::fclose(file);
    const char* before = std::getenv("SSL_CERT_FILE");
    const std::string kept = before != nullptr ? before : "";

    CHECK_FALSE(shake(optionsForClientTLS("example.com"), exampleCertificate().options()).ok());
    setenv("SSL_CERT_FILE", path.c_str(), 1);
    CHECK(shake(optionsForClientTLS("example.com"), exampleCertificate().options()).ok());
    CHECK(platformTrust().native() == platformTrust().native());
    std::remove(path.c_str());
    CHECK_FALSE(shake(optionsForClientTLS("example.com"), exampleCertificate().options()).ok());

    before != nullptr ? setenv("SSL_CERT_FILE", kept.c_str(), 1) : unsetenv("SSL_CERT_FILE");
}

TEST_CASE("a trust root needs a certificate") { CHECK_THROWS_AS(trustRootFromCertificates({}), ValueError); }

TEST_CASE("SNI carries DNS names only (TLS-18) (CFG-10)") {
    const auto sent = [](const ContextFactory& options) {
        const std::unique_ptr<Session> session = options.newSession(Role::client, {});
        const char* name = SSL_get_servername(session->native(), TLSEXT_NAMETYPE_host_name);
        return std::string(name != nullptr ? name : "none");
    };
    CHECK(sent(optionsForClientTLS("Example.COM.", authority())) == "example.com");
    CHECK(sent(optionsForClientTLS("192.0.2.1", authority())) == "none");
    CHECK(sent(optionsForClientTLS("2001:db8::1", authority())) == "none");
    CHECK(sent(insecureOptionsForClientTLS("example.com")) == "example.com");
    CHECK(sent(insecureOptionsForClientTLS()) == "none");
    const Handshake result = shakeWith(exampleCertificate(), exampleCertificate());
    CHECK(std::string(SSL_get_servername(result.server->native(), TLSEXT_NAMETYPE_host_name)) == "example.com");
}

TEST_CASE("a client's recipe serves no server, and says what does") {
    const ClientTLSOptions options = optionsForClientTLS("example.com", authority());
    CHECK(options.hostname() == "example.com");
    try {
        options.newSession(Role::server, {});
        FAIL("it served a server");
    } catch (const TypeError& error) {
        CHECK(contains(error.what(), "CertificateOptions"));
    }
    CHECK_THROWS_AS(insecureOptionsForClientTLS().newSession(Role::server, {}), TypeError);
}

TEST_CASE("extra parameters must not say again what an argument says (CFG-10)") {
    const auto make = [](const Parameters& extra) {
        return optionsForClientTLS("example.com", authority(), exampleCertificate(), {"h2"}, extra);
    };
    CHECK_THROWS_AS(make(Parameters().trustRoot(authority())), TypeError);
    CHECK_THROWS_AS(make(Parameters().verify(false)), TypeError);
    CHECK_THROWS_AS(make(Parameters().requireCertificate(false)), TypeError);
    CHECK_THROWS_AS(make(Parameters().caCerts({authority()})), TypeError);
    CHECK_THROWS_AS(make(Parameters(exampleCertificate())), TypeError);
    CHECK_THROWS_AS(make(Parameters().acceptableProtocols({"h2"})), TypeError);
    CHECK_NOTHROW(make(Parameters().raiseMinimumTo(TLSVersion::TLSv1_3)));
    CHECK_THROWS_AS(insecureOptionsForClientTLS("a.b", {}, Parameters().trustRoot(authority())), TypeError);
}

TEST_CASE("an insecure client accepts anything, and a warning is logged (CFG-15)") {
    int warnings = 0;
    const int observer = log::addObserver([&](const log::Event& event) {
        if (event.level == log::Level::warn) ++warnings;
    });
    const InsecureClientOptions options = insecureOptionsForClientTLS("other.example");
    CHECK(warnings == 1);
    CHECK(shake(options, exampleCertificate().options()).ok());
    CHECK(shake(*options.share(), issued({}, past()).options()).ok());
    CHECK(warnings == 1);
    log::removeObserver(observer);
}

TEST_CASE("plain HTTP sent to a TLS port is named") {
    const std::optional<Failure> failure = feed(exampleCertificate().options(), Role::server, "GET / HTTP/1.0\r\n\r\n");
    REQUIRE(failure);
    CHECK(failure->check<ssl::Error>());
    CHECK(contains(failure->getErrorMessage(), "plain HTTP"));
    CHECK(contains(failure->getErrorMessage(), "http request"));
    CHECK_FALSE(failure->value<ssl::Error>()->alert().has_value());
}

TEST_CASE("a peer that does not speak TLS is named (TLS-11)") {
    const std::optional<Failure> failure =
        feed(optionsForClientTLS("example.com", authority()), Role::client, "220 mail.example.com ESMTP ready\r\n");
    REQUIRE(failure);
    CHECK(contains(failure->getErrorMessage(), "does not speak TLS"));
    CHECK(contains(failure->getErrorMessage(), "wrong version number"));
}

TEST_CASE("a failure takes all errors off the queue, and survives copies") {
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    ERR_raise(ERR_LIB_SSL, SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
    const Failure failure = failureFromQueue(nullptr);
    CHECK(ERR_peek_error() == 0);
    CHECK(failure.value<ssl::Error>()->openSSLTexts().size() == 2);
    CHECK(contains(failure.getErrorMessage(), "no cipher in common"));
    const Failure empty = failureFromQueue(nullptr);
    CHECK(contains(empty.getErrorMessage(), "gave no reason"));
    CHECK(empty.value<ssl::Error>()->openSSLTexts().empty());
    CHECK_THROWS_AS(failure.raise(), ssl::Error);
}
