#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/revocation_fixture.hpp>
#include <torsion/tls/ocsp_staple.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;

namespace {

using Parameters = CertificateOptions::Parameters;
constexpr int kBadCertificateStatusResponse = 113;

const PrivateCertificate& leaf() {
    static const PrivateCertificate certificate = issued({"example.com"});
    return certificate;
}

CertificateOptions serverOf(const PrivateCertificate& certificate, const std::optional<OCSPStaple>& staple,
                            TLSVersion version) {
    Parameters parameters(certificate);
    if (staple) parameters.ocspStaple(*staple);
    return CertificateOptions(parameters.lowerMaximumSecurityTo(version));
}

ClientTLSOptions clientWith(OCSPPolicy policy, std::chrono::seconds skew = kDefaultOCSPSkew) {
    return optionsForClientTLS("example.com", authority(), std::nullopt, {}, Parameters().requestOCSP(policy, skew));
}

/// A recipe that staples anything, as a server may that does not look: past what OCSPStaple would take.
class CarelessServer : public ContextFactory {
public:
    CarelessServer(const PrivateCertificate& certificate, Bytes response, TLSVersion version)
        : options_(serverOf(certificate, std::nullopt, version)), response_(std::move(response)) {}
    std::shared_ptr<const ContextFactory> share() const override { return std::make_shared<CarelessServer>(*this); }
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override {
        std::unique_ptr<Session> session = options_.newSession(role, options);
        SSL_CTX* context = SSL_get_SSL_CTX(session->native());
        SSL_CTX_set_tlsext_status_cb(context, &CarelessServer::staple);
        SSL_CTX_set_tlsext_status_arg(context, const_cast<Bytes*>(&response_));
        return session;
    }
    Duration handshakeTimeout() const override { return options_.handshakeTimeout(); }
    Duration closeTimeout() const override { return options_.closeTimeout(); }

private:
    static int staple(SSL* connection, void* argument) {
        const auto& response = *static_cast<const Bytes*>(argument);
        auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
        SSL_set_tlsext_status_ocsp_resp(connection, copy, static_cast<long>(response.size()));
        return SSL_TLSEXT_ERR_OK;
    }

    CertificateOptions options_;
    Bytes response_;
};

bool hasStaple(const Handshake& result) {
    const unsigned char* data = nullptr;
    return SSL_get_tlsext_status_ocsp_resp(result.client->native(), &data) > 0;
}

/// Expects that a client refuses @p response in both versions. @return the client's text
std::string refused(const Bytes& response, const PrivateCertificate& certificate = leaf(),
                    OCSPPolicy policy = OCSPPolicy::ifStapled) {
    std::string text;
    for (const TLSVersion version : kBothVersions) {
        const CarelessServer server(certificate, response, version);
        const Handshake result = shake(clientWith(policy), server);
        CHECK_FALSE(result.clientDone);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        CHECK_FALSE(result.clientFailure->check<ConnectionClosed>());
        REQUIRE(result.serverFailure);
        CHECK(result.serverFailure->value<ssl::Error>()->alert() == kBadCertificateStatusResponse);
        CHECK(contains(result.serverText(), "bad_certificate_status_response: "));
        CHECK(shake(clientWith(OCSPPolicy::off), server).ok());
        text = result.clientText();
        CHECK(contains(text, "The peer's certificate is not accepted: "));
        CHECK(contains(text, "invalid status response"));  // OpenSSL's own words
        CHECK(contains(text, "subject 'a leaf'"));
    }
    CHECK(ERR_peek_error() == 0);
    return text;
}

}  // namespace

TEST_CASE("a server's staple reaches a client that asks, and nobody else") {
    OCSPStaple staple(leaf(), authority());
    staple.set(ocspResponse(leaf(), authority()));
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(leaf(), staple, version);
        for (const OCSPPolicy policy : {OCSPPolicy::ifStapled, OCSPPolicy::required}) {
            const Handshake result = shake(clientWith(policy), server);
            CHECK_MESSAGE(result.ok(), result.clientText());
            CHECK(hasStaple(result));
        }
        const Handshake silent = shake(optionsForClientTLS("example.com", authority()), server);
        CHECK(silent.ok());
        CHECK_FALSE(hasStaple(silent));
    }
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("without a staple only a client that requires one goes away") {
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(leaf(), std::nullopt, version);
        CHECK(shake(clientWith(OCSPPolicy::ifStapled), server).ok());
        const Handshake result = shake(clientWith(OCSPPolicy::required), server);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        CHECK(contains(result.clientText(), "the server stapled no OCSP response, and we require one"));
        CHECK(result.serverFailure->value<ssl::Error>()->alert() == kBadCertificateStatusResponse);
        CHECK(contains(result.serverText(), "misses one"));
        CHECK_FALSE(result.clientDone);
        CHECK_FALSE(result.serverDone);
    }
}

TEST_CASE("a certificate with must-staple is refused without a staple by all who ask (RFC 7633)") {
    const PrivateCertificate strict = withExtension(leaf(), authority(), NID_tlsfeature, "status_request");
    for (const TLSVersion version : kBothVersions) {
        const WarningCounter warnings;
        const CertificateOptions bare = serverOf(strict, std::nullopt, version);
        CHECK(warnings.count == 1);
        CHECK(contains(warnings.last, "demands a stapled OCSP response"));
        CHECK(shake(clientWith(OCSPPolicy::off), bare).ok());
        for (const OCSPPolicy policy : {OCSPPolicy::ifStapled, OCSPPolicy::required}) {
            const Handshake result = shake(clientWith(policy), bare);
            REQUIRE(result.clientFailure);
            CHECK(contains(result.clientText(), "its certificate demands one (must-staple, RFC 7633)"));
        }
        OCSPStaple staple(strict, authority());
        staple.set(ocspResponse(strict, authority()));
        CHECK(shake(clientWith(OCSPPolicy::ifStapled), serverOf(strict, staple, version)).ok());
    }
    const PrivateCertificate other = withExtension(leaf(), authority(), NID_tlsfeature, "status_request_v2");
    CHECK(shake(clientWith(OCSPPolicy::ifStapled), serverOf(other, std::nullopt, TLSVersion::TLSv1_3)).ok());
}

TEST_CASE("a staple that says revoked fails the handshake, and says when and why") {
    OCSPAnswer answer;
    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    const std::string text = refused(ocspResponse(leaf(), authority(), answer));
    CHECK(contains(text, "the stapled OCSP response says that the certificate was revoked at 2"));
    CHECK(contains(text, "(keyCompromise)"));
    answer.reason = -1;
    CHECK_FALSE(contains(refused(ocspResponse(leaf(), authority(), answer)), "(keyCompromise)"));
    answer.nextUpdate = -24h;  // nobody comes back from a revocation
    answer.thisUpdate = -48h;
    CHECK(contains(refused(ocspResponse(leaf(), authority(), answer)), "was revoked at"));
}

TEST_CASE("a staple that knows nothing of the certificate is refused") {
    OCSPAnswer answer;
    answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
    CHECK(contains(refused(ocspResponse(leaf(), authority(), answer)), "does not know the certificate"));
    const PrivateCertificate other = issued({"example.com"});
    CHECK(contains(refused(ocspResponse(other, authority())), "is about another certificate"));
    // The serial number alone does not do.
    const PrivateCertificate stranger = thirdKey().selfSignedCert(2, DistinguishedName{{"CN", "Test Authority"}});
    CHECK(contains(refused(ocspResponse(leaf(), stranger)), "is about another certificate"));
}

TEST_CASE("a staple that cannot be read is refused") {
    CHECK(contains(refused("garbage"), "cannot be read: it is not DER, or cut off"));
    const Bytes good = ocspResponse(leaf(), authority());
    CHECK(contains(refused(good.substr(0, good.size() - 1)), "cannot be read"));
    CHECK(contains(refused(good + "x"), "there is something behind it"));
    const std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>> later(
        OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr));
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(later.get(), &der);
    const Bytes failure(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    CHECK(contains(refused(failure), "the responder failed: trylater"));
}

TEST_CASE("a staple is signed by the issuer or by its delegate, and by nobody else (RFC 6960, 4.2.2.2)") {
    const auto responder = [](const char* use) {
        const PrivateCertificate plain = authority().issue(thirdKey(), DistinguishedName{{"CN", "responder"}});
        return use != nullptr ? withExtension(plain, authority(), NID_ext_key_usage, use) : plain;
    };
    for (const TLSVersion version : kBothVersions) {
        const CarelessServer delegated(leaf(), ocspResponse(leaf(), authority(), responder("OCSPSigning")), version);
        const Handshake result = shake(clientWith(OCSPPolicy::required), delegated);
        CHECK_MESSAGE(result.ok(), result.clientText());
    }
    const std::string wrong = "is not signed by the certificate's issuer";
    CHECK(contains(refused(ocspResponse(leaf(), authority(), responder(nullptr))), wrong));
    CHECK(contains(refused(ocspResponse(leaf(), authority(), responder("serverAuth"))), wrong));
    CHECK(contains(refused(ocspResponse(leaf(), authority(), leaf())), wrong));  // it vouches for itself
    // A delegate of somebody whom we trust as well, but who did not issue this certificate.
    const PrivateCertificate another = someKey().selfSignedCert(4, DistinguishedName{{"CN", "Another"}});
    const PrivateCertificate theirs = withExtension(another.issue(thirdKey(), DistinguishedName{{"CN", "theirs"}}),
                                                    another, NID_ext_key_usage, "OCSPSigning");
    const CarelessServer server(leaf(), ocspResponse(leaf(), authority(), theirs), TLSVersion::TLSv1_3);
    const Handshake foreign =
        shake(optionsForClientTLS("example.com", trustRootFromCertificates({authority(), another}), std::nullopt, {},
                                  Parameters().requestOCSP(OCSPPolicy::ifStapled)),
              server);
    CHECK(contains(foreign.clientText(), wrong));
    Bytes damaged = ocspResponse(leaf(), authority());
    // In the signature, which stands before the responder's certificate.
    const std::size_t certificate = damaged.find(authority().Certificate::dump());
    REQUIRE(certificate != Bytes::npos);
    damaged[certificate - 20] = static_cast<char>(damaged[certificate - 20] ^ 1);
    CHECK(contains(refused(damaged), wrong));
}

TEST_CASE("responders may make the certificate's id with another digest than SHA-1") {
    OCSPAnswer answer;
    answer.digest = EVP_sha256();
    OCSPStaple staple(leaf(), authority());
    staple.set(ocspResponse(leaf(), authority(), answer));
    CHECK(shake(clientWith(OCSPPolicy::required), serverOf(leaf(), staple, TLSVersion::TLSv1_3)).ok());
}

TEST_CASE("a staple is good from thisUpdate to nextUpdate, give or take the skew") {
    const auto attempt = [](std::chrono::seconds thisUpdate, std::optional<std::chrono::seconds> nextUpdate,
                            std::chrono::seconds skew) {
        OCSPAnswer answer;
        answer.thisUpdate = thisUpdate;
        answer.nextUpdate = nextUpdate;
        const CarelessServer server(leaf(), ocspResponse(leaf(), authority(), answer), TLSVersion::TLSv1_3);
        return shake(clientWith(OCSPPolicy::ifStapled, skew), server).clientText();
    };
    // The clock goes on while the test runs: a minute stands for a moment.
    CHECK(attempt(-1h, -9min, 10min).empty());
    CHECK(contains(attempt(-1h, -11min, 10min), "was good until 2"));
    CHECK(contains(attempt(-1h, -11min, 10min), "the server must be given a new one"));
    CHECK(attempt(9min, 1h, 10min).empty());
    CHECK(contains(attempt(11min, 1h, 10min), "is not valid yet: it was made at 2"));
    CHECK(contains(attempt(11min, 1h, 10min), "is the clock right?"));
    CHECK(contains(attempt(-1h, -1min, 0s), "was good until"));
    CHECK(attempt(-kMostOCSPAge + 1min, std::nullopt, 0s).empty());
    CHECK(contains(attempt(-kMostOCSPAge - 1min, std::nullopt, 0s), "does not say until when it is good"));
    CHECK_THROWS_AS(Parameters().requestOCSP(OCSPPolicy::required, -1s), ValueError);
}

TEST_CASE("a staple for a chain is verified against the leaf's own issuer") {
    const PrivateCertificate deep =
        intermediate().issue(someKey(), DistinguishedName{{"CN", "a leaf"}}, {"example.com"});
    OCSPStaple staple(deep);  // knows its issuer from the chain
    CHECK(contains(refusalOf<ssl::Error>([&] { staple.set(ocspResponse(deep, intermediate(), authority())); }),
                   "is not signed by the certificate's issuer"));
    staple.set(ocspResponse(deep, intermediate()));
    for (const TLSVersion version : kBothVersions) {
        const Handshake result = shake(clientWith(OCSPPolicy::required), serverOf(deep, staple, version));
        CHECK_MESSAGE(result.ok(), result.clientText());
    }
    CHECK(contains(refused(ocspResponse(deep, intermediate(), authority()), deep), "is not signed by"));
    CHECK(contains(refused(ocspResponse(deep, authority()), deep), "is about another certificate"));
}

TEST_CASE("a self-signed server can staple for itself") {
    OCSPStaple staple(exampleCertificate());
    staple.set(ocspResponse(exampleCertificate(), exampleCertificate()));
    for (const TLSVersion version : kBothVersions) {
        const Handshake result = shake(optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {},
                                                           Parameters().requestOCSP(OCSPPolicy::required)),
                                       serverOf(exampleCertificate(), staple, version));
        CHECK_MESSAGE(result.ok(), result.clientText());
    }
}

TEST_CASE("what is set is checked first, and what was there stays") {
    OCSPStaple staple(leaf(), authority());
    CHECK(staple.current().empty());
    CHECK_FALSE(staple.nextUpdate().has_value());
    const Bytes good = ocspResponse(leaf(), authority());
    staple.set(good);
    CHECK(staple.current() == good);
    REQUIRE(staple.nextUpdate().has_value());
    CHECK(*staple.nextUpdate() > std::chrono::system_clock::now() + 50min);
    CHECK(staple.certificate() == leaf());

    const auto complaint = [&](const Bytes& response) {
        const std::string text = refusalOf<ssl::Error>([&] { staple.set(response); });
        CHECK(contains(text, "For <Certificate Subject=a leaf Issuer=Test Authority>: the OCSP response "));
        CHECK(staple.current() == good);
        return text;
    };
    CHECK(contains(complaint(""), "cannot be read"));
    CHECK(contains(complaint("-----BEGIN OCSP RESPONSE-----"), "cannot be read"));
    CHECK(contains(complaint(ocspResponse(issued({}), authority())), "is about another certificate"));
    CHECK(contains(complaint(ocspResponse(leaf(), authority(), leaf())), "is not signed by"));
    OCSPAnswer answer;
    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    CHECK(contains(complaint(ocspResponse(leaf(), authority(), answer)), "was revoked"));
    answer = OCSPAnswer();
    answer.nextUpdate = -1s;
    CHECK(contains(complaint(ocspResponse(leaf(), authority(), answer)), "was good until"));
    answer = OCSPAnswer();
    answer.thisUpdate = kDefaultOCSPSkew + 1min;
    CHECK(contains(complaint(ocspResponse(leaf(), authority(), answer)), "is not valid yet"));
    answer.thisUpdate = kDefaultOCSPSkew - 1min;
    CHECK_NOTHROW(staple.set(ocspResponse(leaf(), authority(), answer)));
    staple.clear();
    CHECK(staple.current().empty());
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("where the issuer is not at hand, its name and the serial number are compared") {
    OCSPStaple staple(leaf());
    CHECK(contains(refusalOf<ssl::Error>([&] { staple.set(ocspResponse(issued({}), authority())); }),
                   "is about another certificate"));
    const PrivateCertificate namesake = [] {  // with the same serial number, of another authority
        const PrivateCertificate other = intermediate().issue(someKey(), DistinguishedName{{"CN", "a leaf"}});
        const CertificatePointer copy(X509_dup(other.native()));
        X509_set_serialNumber(copy.get(), X509_get_serialNumber(leaf().native()));
        X509_sign(copy.get(), thirdKey().native(), EVP_sha256());
        return PrivateCertificate::load(Certificate::fromNative(copy.get()).dump(), someKey());
    }();
    CHECK(contains(refusalOf<ssl::Error>([&] { staple.set(ocspResponse(namesake, intermediate())); }),
                   "is about another certificate"));
    staple.set(ocspResponse(leaf(), authority()));
    CHECK(shake(clientWith(OCSPPolicy::required), serverOf(leaf(), staple, TLSVersion::TLSv1_3)).ok());
}

TEST_CASE("a response is replaced while the server runs") {
    OCSPStaple staple(leaf(), authority());
    for (const TLSVersion version : kBothVersions) {
        staple.clear();
        const CertificateOptions server = serverOf(leaf(), staple, version);
        CHECK_FALSE(shake(clientWith(OCSPPolicy::required), server).ok());
        staple.set(ocspResponse(leaf(), authority()));
        CHECK(shake(clientWith(OCSPPolicy::required), server).ok());
        const OCSPStaple copy = staple;
        staple.clear();
        CHECK(copy.current().empty());
        CHECK_FALSE(shake(clientWith(OCSPPolicy::required), server).ok());
    }
}

TEST_CASE("a response that has expired is not sent, which is logged once for each") {
    OCSPStaple staple(leaf(), authority());
    auto now = std::chrono::system_clock::now();
    staple.setClock([&] { return now; });
    staple.set(ocspResponse(leaf(), authority()));
    const CertificateOptions server = serverOf(leaf(), staple, TLSVersion::TLSv1_3);
    const auto end = *staple.nextUpdate();
    const WarningCounter warnings;
    now = end;
    CHECK(shake(clientWith(OCSPPolicy::required), server).ok());
    CHECK(warnings.count == 0);
    now = end + 1s;
    const Handshake result = shake(clientWith(OCSPPolicy::ifStapled), server);
    CHECK(result.ok());
    CHECK_FALSE(hasStaple(result));
    CHECK_FALSE(shake(clientWith(OCSPPolicy::required), server).ok());
    CHECK(warnings.count == 1);
    CHECK(contains(warnings.last, "Subject=a leaf"));
    CHECK(contains(warnings.last, "must be replaced"));
    now = std::chrono::system_clock::now();
    staple.set(ocspResponse(leaf(), authority()));
    now = end + 1h;
    CHECK(staple.current().empty());
    CHECK(warnings.count == 2);
}

TEST_CASE("a staple is replaced by one thread while others shake hands") {
    OCSPStaple staple(leaf(), authority());
    const Bytes response = ocspResponse(leaf(), authority());
    staple.set(response);
    const CertificateOptions server = serverOf(leaf(), staple, TLSVersion::TLSv1_3);
    const ClientTLSOptions client = clientWith(OCSPPolicy::required);
    std::vector<int> good(2);
    std::vector<std::thread> threads;
    for (int& count : good) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) count += shake(client, server).ok() ? 1 : 0;
        });
    }
    for (int i = 0; i < 200; ++i) staple.set(response);
    for (std::thread& thread : threads) thread.join();
    CHECK(good == std::vector<int>{20, 20});
}

TEST_CASE("a response that stays is given to the recipe itself") {
    const CertificateOptions server(Parameters(leaf()).ocspResponse(ocspResponse(leaf(), authority())));
    CHECK(shake(clientWith(OCSPPolicy::required), server).ok());
    CHECK(contains(refusalOf<ssl::Error>([] { CertificateOptions(Parameters(leaf()).ocspResponse("no DER")); }),
                   "cannot be read"));
}

TEST_CASE("what makes no sense with OCSP is an error at construction") {
    const OCSPStaple staple(leaf(), authority());
    CHECK_THROWS_AS(CertificateOptions(Parameters(exampleCertificate()).ocspStaple(staple)), ValueError);
    CHECK_THROWS_AS(CertificateOptions(Parameters().ocspStaple(staple)), ValueError);
    CHECK_THROWS_AS(CertificateOptions(Parameters(leaf()).ocspStaple(staple).ocspResponse("x")), TypeError);
    CHECK_THROWS_AS(CertificateOptions(Parameters(leaf()).requestOCSP(OCSPPolicy::ifStapled)), TypeError);
    CHECK_THROWS_AS(optionsForClientTLS("example.com", authority(), std::nullopt, {}, Parameters().ocspStaple(staple)),
                    TypeError);
    CHECK_THROWS_AS(insecureOptionsForClientTLS("", {}, Parameters().requestOCSP(OCSPPolicy::required)), TypeError);
}
