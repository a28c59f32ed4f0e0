#include <doctest/doctest.h>

#include <openssl/pem.h>

#include <chrono>
#include <string>

#include <torsion/core/error.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/protocol_negotiation.hpp>
#include <torsion/tls/tls_version.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;
using torsion::test::messageOf;

namespace {

// Made with the openssl program, which also told the fingerprint below.
constexpr const char* kForeign =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICCjCCAbCgAwIBAgIUASNFZ4mrze8BI0VniavN7wEjRWcwCgYIKoZIzj0EAwIw\n"
    "OTELMAkGA1UEBhMCREUxFDASBgNVBAoMC0V4YW1wbGUgTHRkMRQwEgYDVQQDDAtl\n"
    "eGFtcGxlLmNvbTAgFw0yNjExMjEwMjMwMDVaGA8yMTI2MTAyODAyMzAwNVowOTEL\n"
    "MAkGA1UEBhMCREUxFDASBgNVBAoMC0V4YW1wbGUgTHRkMRQwEgYDVQQDDAtleGFt\n"
    "cGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMa0UV61m1RjgeOEDV6p\n"
    "XzffzbRDQ/c9eMQPr5ZwpNVxTAoWiv6s2zGi8MlY1H859Kj8y7QwryJWRj5pR/ZV\n"
    "yjejgZMwgZAwHQYDVR0OBBYEFBKwgzUOy/s7aMJm0x7yPqcCPZdKMB8GA1UdIwQY\n"
    "MBaAFBKwgzUOy/s7aMJm0x7yPqcCPZdKMA8GA1UdEwEB/wQFMAMBAf8wPQYDVR0R\n"
    "BDYwNIILZXhhbXBsZS5jb22HBMAAAgGCDSouZXhhbXBsZS5vcmeHECABDbgAAAAA\n"
    "AAAAAAAAAAEwCgYIKoZIzj0EAwIDSAAwRQIhAO6QUUBRlQHUMi0mZGZTC7lqVeoE\n"
    "L3jk7VW/qM2WLJa1AiBUi4jxKe0qSEYNbIm3OpBZaqb52KNdwHXYjPo/MZNX8A==\n"
    "-----END CERTIFICATE-----\n";

}  // namespace

TEST_CASE("Certificate tells what stands in a certificate made elsewhere (CFG-12)") {
    const Certificate certificate = Certificate::loadPEM(kForeign);
    CHECK(certificate.str() == "<Certificate Subject=example.com Issuer=example.com>");
    CHECK(certificate.getSubject() == DistinguishedName{{"CN", "example.com"}, {"O", "Example Ltd"}, {"C", "DE"}});
    CHECK(certificate.getIssuer() == certificate.getSubject());
    CHECK(certificate.isSelfIssued());
    CHECK(certificate.serialNumber() == "6495562832581790663061892574634853316331521383");
    CHECK(certificate.subjectAltNames() ==
          std::vector<std::string>{"example.com", "*.example.org", "192.0.2.1", "2001:db8::1"});
    const std::string text = certificate.inspect();
    CHECK(contains(text, "         Organization Name: Example Ltd\n               Common Name: example.com\n"));
    CHECK(contains(text, "Serial Number: 6495562832581790663061892574634853316331521383\n"));
    CHECK(contains(text, "Names: example.com, *.example.org, 192.0.2.1, 2001:db8::1"));
}

TEST_CASE("Certificate.digest is SHA-256 unless told otherwise (D20) (CFG-12)") {
    const Certificate certificate = Certificate::loadPEM(kForeign);
    CHECK(certificate.digest() ==
          "58:D7:26:69:CC:4F:82:08:50:72:E8:D0:E3:5A:74:EC:4A:51:F7:C9:F7:B7:B6:C4:B1:25:44:24:D3:95:8A:16");
    CHECK(certificate.digest("sha1").size() == 20 * 3 - 1);
    CHECK_THROWS_AS(certificate.digest("no such"), ValueError);
}

TEST_CASE("a certificate survives PEM and DER, and equality is that of the DER form (CFG-12)") {
    const Certificate certificate = Certificate::loadPEM(kForeign);
    CHECK(certificate.dumpPEM() == kForeign);
    CHECK(Certificate::load(certificate.dump()) == certificate);
    CHECK(Certificate::loadPEM(certificate.dumpPEM()) == certificate);
    CHECK_FALSE(certificate == exampleCertificate());
    const Certificate copy = certificate;
    CHECK(copy.native() == certificate.native());
}

TEST_CASE("what is no certificate is refused with words that say so") {
    const std::string key = someKey().dumpPEM();
    CHECK(contains(messageOf<ssl::Error>([] { Certificate::loadPEM(""); }), "empty"));
    CHECK(contains(messageOf<ssl::Error>([] { Certificate::loadPEM("garbage"); }), "not PEM"));
    CHECK(contains(messageOf<ssl::Error>([&] { Certificate::loadPEM(key); }), "holds no certificate, a private key"));
    CHECK(contains(messageOf<ssl::Error>([] { Certificate::load("garbage"); }), "not a certificate in DER"));
    const Bytes der = exampleCertificate().dump();
    CHECK(contains(messageOf<ssl::Error>([&] { Certificate::loadPEM(der); }), "looks like DER"));
    const std::string pem = exampleCertificate().Certificate::dumpPEM();
    CHECK(contains(messageOf<ssl::Error>([&] { Certificate::loadPEM(pem.substr(0, pem.size() / 2)); }), "malformed"));
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("every truncation of a PEM file is refused or complete, and none leaves an OpenSSL error behind") {
    const std::string pem = exampleCertificate().dumpPEM();
    for (std::size_t size = 0; size + 1 < pem.size(); ++size) {
        CHECK_THROWS_AS(PrivateCertificate::loadPEM(std::string_view(pem).substr(0, size)), ssl::Error);
        CHECK(ERR_peek_error() == 0);
    }
    CHECK_NOTHROW(PrivateCertificate::loadPEM(pem));
}

TEST_CASE("DistinguishedName takes long and short names and no others (CFG-14)") {
    DistinguishedName name{{"commonName", "a"}, {"OU", "b"}};
    CHECK(name.get("CN") == "a");
    CHECK(name.get("organizationalUnitName") == "b");
    CHECK_FALSE(name.get("L").has_value());
    CHECK(name.str() == "<DN 'commonName': 'a', 'organizationalUnitName': 'b'>");
    CHECK(contains(messageOf<ValueError>([&] { name.set("shoeSize", "43"); }), "shoeSize is not a valid field"));
    CHECK_THROWS_AS(static_cast<void>(name.get("shoeSize")), ValueError);
    CHECK_THROWS_AS(someKey().selfSignedCert(1, DistinguishedName{{"C", "Germany"}}), ssl::Error);
    CHECK(DistinguishedName{{"CN", "two\nlines"}}.str() == "<DN 'commonName': 'two?lines'>");
}

TEST_CASE("KeyPair generates keys of both kinds, and they survive PEM and DER (CFG-14) (TT-28)") {
    const KeyPair rsa = KeyPair::generate();
    CHECK(rsa.inspect().starts_with("2048-bit RSA Key Pair with Hash: "));
    const KeyPair ec = KeyPair::generate(KeyPair::Kind::ec);
    CHECK(ec.inspect().starts_with("256-bit EC Key Pair with Hash: "));
    for (const KeyPair& key : {rsa, ec}) {
        CHECK(KeyPair::loadPEM(key.dumpPEM()).matches(key));
        CHECK(KeyPair::load(key.dump()).matches(key));
    }
    CHECK_FALSE(rsa.matches(ec));
    CHECK_THROWS_AS(KeyPair::generate(KeyPair::Kind::rsa, 512), ValueError);
    CHECK_THROWS_AS(KeyPair::load("garbage"), ssl::Error);
    CHECK(contains(messageOf<ssl::Error>([] { KeyPair::loadPEM(kForeign); }), "holds no private key"));
}

TEST_CASE("selfSignedCert makes a version 3 root for a year with the names given (CFG-14)") {
    const PrivateCertificate certificate = someKey().selfSignedCert(
        17, DistinguishedName{{"CN", "example.com"}, {"O", "Org"}}, {"Example.com", "127.0.0.1", "::1"});
    CHECK(certificate.serialNumber() == "17");
    CHECK(certificate.getSubject() == DistinguishedName{{"CN", "example.com"}, {"O", "Org"}});
    CHECK(certificate.subjectAltNames() == std::vector<std::string>{"example.com", "127.0.0.1", "::1"});
    X509* native = certificate.native();
    CHECK(X509_get_version(native) == X509_VERSION_3);
    CHECK(X509_check_ca(native) == 1);
    CHECK(X509_verify(native, someKey().native()) == 1);
    int days = 0;
    int seconds = 0;
    REQUIRE(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(native), X509_get0_notAfter(native)) == 1);
    CHECK(days == 365);
    CHECK(seconds == 0);
    CHECK_THROWS_AS(someKey().selfSignedCert(1, DistinguishedName(), {"not a name"}), ValueError);
}

TEST_CASE("issue signs with the authority's key, and puts an authority in between into the chain") {
    const PrivateCertificate leaf = issued({"example.com", "*.example.com"});
    CHECK(leaf.getIssuer() == authority().getSubject());
    CHECK(X509_verify(leaf.native(), authority().privateKey().native()) == 1);
    CHECK(X509_check_ca(leaf.native()) == 0);
    CHECK(leaf.chain().empty());
    CHECK_FALSE(leaf.serialNumber() == issued({"example.com"}).serialNumber());

    const PrivateCertificate between = authority().issue(KeyPair::generate(KeyPair::Kind::ec),
                                                         DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate end = between.issue(someKey(), DistinguishedName{{"CN", "end"}}, {"example.com"});
    REQUIRE(end.chain().size() == 1);
    CHECK(end.chain().front() == between);
    CHECK_THROWS_AS(issued({}, Validity(std::chrono::seconds(-1))), ValueError);
}

TEST_CASE("PrivateCertificate.loadPEM takes certificate, key and chain in any order (CFG-13)") {
    const PrivateCertificate between =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate end = between.issue(someKey(), DistinguishedName{{"CN", "end"}}, {"example.com"});
    const std::string leafPEM = end.Certificate::dumpPEM();
    const std::string chainPEM = between.Certificate::dumpPEM();
    const std::string keyPEM = end.privateKey().dumpPEM();
    for (const std::string& pem :
         {leafPEM + chainPEM + keyPEM, keyPEM + leafPEM + chainPEM, leafPEM + keyPEM + chainPEM,
          "some words\n" + leafPEM + "and others\n" + chainPEM + keyPEM, end.dumpPEM()}) {
        const PrivateCertificate loaded = PrivateCertificate::loadPEM(pem);
        CHECK(loaded == end);
        CHECK(loaded.privateKey().matches(someKey()));
        REQUIRE(loaded.chain().size() == 1);
        CHECK(loaded.chain().front() == between);
    }
    CHECK(PrivateCertificate::load(end.dump(), someKey()) == end);
}

TEST_CASE("PrivateCertificate.loadPEM says what is missing") {
    const std::string certificate = exampleCertificate().Certificate::dumpPEM();
    const std::string key = someKey().dumpPEM();
    CHECK(contains(messageOf<ssl::Error>([&] { PrivateCertificate::loadPEM(key); }), "holds no certificate"));
    CHECK(contains(messageOf<ssl::Error>([&] { PrivateCertificate::loadPEM(certificate); }), "holds no private key"));
    CHECK(contains(messageOf<ssl::Error>([] { PrivateCertificate::loadPEM("garbage"); }), "not PEM"));

    const BIOPointer bio = collectingBIO();
    unsigned char passphrase[] = "secret";
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio.get(), someKey().native(), EVP_aes_128_cbc(),
                                          reinterpret_cast<char*>(passphrase), 6, nullptr, nullptr) == 1);
    const std::string modern = contents(bio.get());
    CHECK(contains(messageOf<ssl::Error>([&] { PrivateCertificate::loadPEM(certificate + modern); }), "encrypted"));
    CHECK(contains(messageOf<ssl::Error>([&] { KeyPair::loadPEM(modern); }), "encrypted"));

    const BIOPointer old = collectingBIO();
    REQUIRE(PEM_write_bio_PrivateKey_traditional(old.get(), someKey().native(), EVP_aes_128_cbc(), passphrase, 6,
                                                 nullptr, nullptr) == 1);
    CHECK(contains(messageOf<ssl::Error>([&] { PrivateCertificate::loadPEM(contents(old.get()) + certificate); }),
                   "encrypted"));
}

TEST_CASE("a key that is another certificate's is a VerifyError at once (CFG-13)") {
    const std::string pem = exampleCertificate().Certificate::dumpPEM() + otherKey().dumpPEM();
    CHECK(messageOf<VerifyError>([&] { PrivateCertificate::loadPEM(pem); }) ==
          "Certificate public and private keys do not match.");
    CHECK_THROWS_AS(PrivateCertificate::fromCertificateAndKeyPair(exampleCertificate(), otherKey()), VerifyError);
    CHECK_THROWS_AS(PrivateCertificate::load(exampleCertificate().dump(), otherKey()), VerifyError);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("PrivateCertificate.inspect does not show the secret") {
    const std::string text = exampleCertificate().inspect();
    CHECK(contains(text, "Certificate For Subject:"));
    CHECK(contains(text, "256-bit EC Key Pair with Hash: "));
    CHECK_FALSE(contains(text, "PRIVATE"));
}

TEST_CASE("TLS versions compare (CFG-9)") {
    CHECK(TLSVersion::SSLv3 < TLSVersion::TLSv1_0);
    CHECK(TLSVersion::TLSv1_2 < TLSVersion::TLSv1_3);
    CHECK(std::string(versionName(TLSVersion::TLSv1_0)) == "TLSv1");
}

TEST_CASE("protocolNegotiationMechanisms reports ALPN only (D21) (CFG-8)") {
    CHECK(protocolNegotiationMechanisms() == ProtocolNegotiationSupport::ALPN);
    CHECK((protocolNegotiationMechanisms() & ProtocolNegotiationSupport::NPN) == ProtocolNegotiationSupport::none);
}
