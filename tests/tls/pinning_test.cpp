#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/revocation_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;

namespace {

using Parameters = CertificateOptions::Parameters;
constexpr int kBadCertificate = 42;
const std::string kOtherPin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The leaf of a chain of three different keys.
const PrivateCertificate& deep() {
    static const PrivateCertificate certificate =
        intermediate().issue(someKey(), DistinguishedName{{"CN", "a deep leaf"}}, {"example.com"});
    return certificate;
}

CertificateOptions serverOf(const PrivateCertificate& certificate, TLSVersion version) {
    return CertificateOptions(Parameters(certificate).lowerMaximumSecurityTo(version));
}

ClientTLSOptions pinning(const std::vector<std::string>& pins, const TrustRoot& trust = authority(),
                         std::string_view hostname = "example.com") {
    return optionsForClientTLS(hostname, trust, std::nullopt, {}, Parameters().pinnedPublicKeys(pins));
}

InsecureClientOptions insecurePinning(const std::vector<std::string>& pins) {
    return insecureOptionsForClientTLS("", {}, Parameters().pinnedPublicKeys(pins));
}

}  // namespace

TEST_CASE("a pin is the SHA-256 of the public key's information (RFC 7469, 2.4)") {
    // A certificate whose pin the openssl command has computed.
    const Certificate certificate = Certificate::loadPEM(
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBgzCCASmgAwIBAgIURghMu4rJKjVDO1GlNfghCHOxPX4wCgYIKoZIzj0EAwIw\n"
        "FjEUMBIGA1UEAwwLcGluLmV4YW1wbGUwIBcNMjYxMTIxMDYxOTQ4WhgPMjEyNjEw\n"
        "MjgwNjE5NDhaMBYxFDASBgNVBAMMC3Bpbi5leGFtcGxlMFkwEwYHKoZIzj0CAQYI\n"
        "KoZIzj0DAQcDQgAE5PEx8FsqMsV8nm09Nfe/ZlHl4l11nlHeJkweRyabSoE7kAza\n"
        "YMEk04DuyI6Uh9Zl/Vp0yEjBqUj7QXSPuACWraNTMFEwHQYDVR0OBBYEFCX/fwyu\n"
        "seQDQ7yDw5wi8SEjpYyCMB8GA1UdIwQYMBaAFCX/fwyuseQDQ7yDw5wi8SEjpYyC\n"
        "MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJZv/XXKQep0YvRv\n"
        "b35TmQJh7m0BSCto9g6x+y6S/kw7AiAusQszVrEQ/fTyEN2TkTXIhrxUtfqYJoRp\n"
        "G8lz1+Gtlg==\n"
        "-----END CERTIFICATE-----\n");
    CHECK(certificate.publicKeyPin() == "sha256/+Grm6HrL/WKY57+45wr8iD7BOElZdVa35kq4Q7S2B0Y=");
    CHECK(exampleCertificate().publicKeyPin() != authority().publicKeyPin());
    // The same key under another certificate: a pin outlives a renewal.
    CHECK(exampleCertificate().publicKeyPin() == issued({}).publicKeyPin());
}

TEST_CASE("any certificate of the verified chain may have the pinned key (RFC 7469, 2.6)") {
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(deep(), version);
        CHECK(shake(pinning({deep().publicKeyPin()}), server).ok());
        CHECK(shake(pinning({intermediate().publicKeyPin()}), server).ok());
        CHECK(shake(pinning({authority().publicKeyPin()}), server).ok());  // which the server does not even send
        CHECK(shake(pinning({kOtherPin, authority().publicKeyPin()}), server).ok());
    }
}

TEST_CASE("a mismatch is a PinMismatch inside the handshake that lists what was seen and wanted") {
    for (const TLSVersion version : kBothVersions) {
        const Handshake result = shake(pinning({kOtherPin}), serverOf(deep(), version));
        CHECK_FALSE(result.clientDone);
        CHECK_FALSE(result.serverDone);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        CHECK_FALSE(result.clientFailure->check<ConnectionClosed>());
        const auto* mismatch = result.clientFailure->value<PinMismatch>();
        REQUIRE(mismatch != nullptr);
        CHECK(mismatch->wanted() == std::vector<std::string>{kOtherPin});
        CHECK(mismatch->seen() == std::vector<std::string>{deep().publicKeyPin(), intermediate().publicKeyPin(),
                                                           authority().publicKeyPin()});
        for (const std::string& pin : mismatch->seen()) CHECK(contains(result.clientText(), pin));
        CHECK(contains(result.clientText(), kOtherPin));
        CHECK(contains(result.clientText(), "'a deep leaf'"));
        CHECK(contains(result.clientText(), "pin the new one"));
        CHECK(contains(result.clientText(), "certificate verify failed"));
        CHECK(result.serverFailure->value<ssl::Error>()->alert() == kBadCertificate);
        CHECK(contains(result.serverText(), "bad_certificate"));
    }
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("nothing that was written reaches a server with another key") {
    for (const TLSVersion version : kBothVersions) {
        torsion::test::TLSPair pair;
        pair.serve(serverOf(deep(), version));
        pair.connectWith(pinning({kOtherPin}));
        pair.client->onMade = [&] { pair.client->transport().write("a secret"); };
        pair.start();
        pair.flush();
        CHECK(pair.client->handshakes == 0);
        CHECK(pair.client->why() == "PinMismatch");
        CHECK(pair.server->received.empty());
        CHECK(pair.clientWire.count(torsion::test::RecordLog::kAlert) == 1);
        CHECK(pair.clientWire.count(torsion::test::RecordLog::kApplicationData) == 0);
    }
}

TEST_CASE("pins come on top of the normal verification") {
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(deep(), version);
        const std::vector<std::string> right = {deep().publicKeyPin()};
        const Handshake untrusted = shake(pinning(right, exampleCertificate()), server);
        REQUIRE(untrusted.clientFailure);
        CHECK(untrusted.clientFailure->check<CertificateVerifyError>());
        CHECK_FALSE(untrusted.clientFailure->check<PinMismatch>());
        const Handshake misnamed = shake(pinning(right, authority(), "example.org"), server);
        REQUIRE(misnamed.clientFailure);
        CHECK(misnamed.clientFailure->check<VerificationError>());
    }
}

TEST_CASE("an insecure client with a pin knows a self-signed server by its key alone") {
    const PrivateCertificate stranger = thirdKey().selfSignedCert(9, DistinguishedName{{"CN", "anybody"}});
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(stranger, version);
        CHECK(shake(insecurePinning({stranger.publicKeyPin()}), server).ok());
        const Handshake result = shake(insecurePinning({kOtherPin}), server);
        REQUIRE(result.clientFailure);
        const auto* mismatch = result.clientFailure->value<PinMismatch>();
        REQUIRE(mismatch != nullptr);
        CHECK(mismatch->seen() == std::vector<std::string>{stranger.publicKeyPin()});
        CHECK_FALSE(result.clientDone);
        CHECK(result.serverFailure->value<ssl::Error>()->alert() == kBadCertificate);
    }
}

TEST_CASE("without verification only the server's own key counts: anybody may send along a pinned certificate") {
    const PrivateCertificate attacker = someKey().selfSignedCert(9, DistinguishedName{{"CN", "attacker"}});
    const auto chained =
        PrivateCertificate::fromCertificateAndKeyPair(attacker, attacker.privateKey(), {intermediate(), authority()});
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server = serverOf(chained, version);
        CHECK_FALSE(shake(insecurePinning({intermediate().publicKeyPin()}), server).ok());
        CHECK_FALSE(shake(insecurePinning({authority().publicKeyPin()}), server).ok());
        // Nor does it help where the chain is verified: what does not lead to the root is no part of it.
        const auto misled =
            PrivateCertificate::fromCertificateAndKeyPair(issued({"example.com"}), someKey(), {intermediate()});
        CHECK_FALSE(shake(pinning({intermediate().publicKeyPin()}), serverOf(misled, version)).ok());
    }
}

TEST_CASE("pins are taken in OkHttp's and in curl's form") {
    const std::string pin = deep().publicKeyPin();
    REQUIRE(pin.substr(0, 7) == "sha256/");
    REQUIRE(pin.size() == 51);
    const CertificateOptions server = serverOf(deep(), TLSVersion::TLSv1_3);
    CHECK(shake(pinning({pin}), server).ok());
    CHECK(shake(pinning({"sha256//" + pin.substr(7)}), server).ok());
    // A digest that begins with a slash itself.
    CHECK_NOTHROW(Parameters().pinnedPublicKeys({"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}));
    CHECK_NOTHROW(Parameters().pinnedPublicKeys({"sha256///AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}));
}

TEST_CASE("a malformed pin is a ValueError that names it") {
    const std::string digest(42, 'A');
    for (const std::string& pin :
         {std::string(), std::string("sha256/"), digest + "A=", "sha1/" + digest + "A=", "SHA256/" + digest + "A=",
          "sha256/" + digest + "=", "sha256/" + digest + "AA=", "sha256/" + digest + "A", "sha256/" + digest + "AA",
          "sha256/" + digest + "==", "sha256/" + digest + "B=", "sha256/" + digest.substr(1) + "-A=",
          "sha256/ " + digest + "A=", "sha256/" + digest + "A=\n", "pin-sha256=\"" + digest + "A=\""}) {
        CAPTURE(pin);
        const std::string text = refusalOf<ValueError>([&] { Parameters().pinnedPublicKeys({kOtherPin, pin}); });
        CHECK(contains(text, "is no pin"));
    }
    CHECK(contains(refusalOf<ValueError>([] { Parameters().pinnedPublicKeys({}); }), "at least one pin"));
    CHECK(ERR_peek_error() == 0);
    CHECK_THROWS_AS(CertificateOptions(Parameters(exampleCertificate()).pinnedPublicKeys({kOtherPin})), TypeError);
}
