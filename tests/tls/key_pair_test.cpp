#include <doctest/doctest.h>

#include <openssl/pem.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/key_pair.hpp>
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

using Kind = KeyPair::Kind;

/// A function that gives @p text, and counts how often it was asked.
Passphrase saying(std::string text, int* asked = nullptr) {
    return [text = std::move(text), asked] {
        if (asked != nullptr) ++*asked;
        return text;
    };
}

/// As the openssl program of old wrote keys: "Proc-Type: 4,ENCRYPTED".
std::string traditional(const KeyPair& key, const std::string& passphrase, const EVP_CIPHER* cipher) {
    const BIOPointer bio = collectingBIO();
    const auto* text = reinterpret_cast<const unsigned char*>(passphrase.data());
    REQUIRE(PEM_write_bio_PrivateKey_traditional(bio.get(), key.native(), cipher, text,
                                                 static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
    return contents(bio.get());
}

/// PKCS#8 as others write it, with @p cipher. @p der says in which form
std::string pkcs8(const KeyPair& key, std::string passphrase, const EVP_CIPHER* cipher, bool der = false) {
    const BIOPointer bio = collectingBIO();
    const auto write = der ? i2d_PKCS8PrivateKey_bio : PEM_write_bio_PKCS8PrivateKey;
    REQUIRE(write(bio.get(), key.native(), cipher, passphrase.data(), static_cast<int>(passphrase.size()), nullptr,
                  nullptr) == 1);
    return contents(bio.get());
}

}  // namespace

TEST_CASE("a public key is known by the SHA-256 of its DER form (D20)") {
    const PublicKey publicKey = exampleCertificate().getPublicKey();
    CHECK(publicKey.matches(someKey()));
    CHECK(someKey().matches(publicKey));
    CHECK_FALSE(publicKey.matches(otherKey()));
    CHECK(publicKey.keyHash() == someKey().keyHash());
    CHECK(publicKey.keyHash().size() == 64);
    CHECK(publicKey.keyHash().find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK_FALSE(publicKey.keyHash() == otherKey().keyHash());
    CHECK(publicKey.inspect() == "Public Key with Hash: " + publicKey.keyHash());
    CHECK(publicKey.str() == "<PublicKey " + publicKey.keyHash() + ">");
    CHECK(someKey().str() == "<KeyPair " + publicKey.keyHash() + ">");
    CHECK(someKey().inspect() == "256-bit EC Key Pair with Hash: " + publicKey.keyHash());
    CHECK(exampleCertificate().Certificate::inspect().ends_with(publicKey.inspect()));
    CHECK(exampleCertificate().str() ==
          "<PrivateCertificate Subject=example.com Issuer=example.com with " + someKey().str() + ">");
}

TEST_CASE("keys of every kind survive DER, PEM and encrypted PEM") {
    for (const Kind kind : {Kind::rsa, Kind::ec, Kind::ed25519}) {
        const KeyPair key = KeyPair::generate(kind);
        CAPTURE(key.inspect());
        CHECK(KeyPair::load(key.dump()).matches(key));
        CHECK(KeyPair::loadPEM(key.dumpPEM()).matches(key));
        CHECK(KeyPair::loadPEM(key.dumpPEM("secret"), saying("secret")).matches(key));
        CHECK_FALSE(KeyPair::generate(kind).matches(key));
    }
    CHECK(KeyPair::generate(Kind::ed25519).inspect().find("ED25519 Key Pair with Hash: ") != std::string::npos);
}

TEST_CASE("every kind of key serves TLS 1.2 and 1.3, and shows itself as a client") {
    for (const Kind kind : {Kind::rsa, Kind::ec, Kind::ed25519}) {
        const KeyPair root = KeyPair::generate(kind);
        const PrivateCertificate authority = root.selfSignedCert(1, DistinguishedName{{"CN", "an authority"}});
        const KeyPair key = KeyPair::generate(kind);
        const PrivateCertificate leaf = authority.issue(key, DistinguishedName{{"CN", "a leaf"}}, {"example.com"});
        for (const TLSVersion version : {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
            const auto at = [version](CertificateOptions::Parameters parameters) {
                return parameters.insecurelyLowerMinimumTo(version).lowerMaximumSecurityTo(version);
            };
            const Handshake result =
                shake(optionsForClientTLS("example.com", authority, leaf, {}, at(CertificateOptions::Parameters())),
                      CertificateOptions(at(CertificateOptions::Parameters(leaf)).trustRoot(authority)));
            CAPTURE(key.inspect());
            CAPTURE(result.clientText());
            CAPTURE(result.serverText());
            CHECK(result.ok());
            CHECK(SSL_version(result.client->native()) ==
                  (version == TLSVersion::TLSv1_2 ? TLS1_2_VERSION : TLS1_3_VERSION));
        }
    }
}

TEST_CASE("an encrypted key loads with its passphrase, in both forms of PEM and in DER") {
    int asked = 0;
    for (const KeyPair& key : {someKey(), KeyPair::generate(Kind::rsa)}) {
        for (const std::string& pem :
             {pkcs8(key, "secret", EVP_aes_128_cbc()), pkcs8(key, "secret", EVP_des_ede3_cbc()),
              traditional(key, "secret", EVP_aes_256_cbc()), traditional(key, "secret", EVP_des_ede3_cbc())}) {
            asked = 0;
            CHECK(KeyPair::loadPEM(pem, saying("secret", &asked)).matches(key));
            CHECK(asked == 1);
        }
        CHECK(KeyPair::load(pkcs8(key, "secret", EVP_aes_128_cbc(), true), saying("secret")).matches(key));
        CHECK(ERR_peek_error() == 0);
    }
    const std::string pem = exampleCertificate().Certificate::dumpPEM() + someKey().dumpPEM("secret");
    const PrivateCertificate loaded = PrivateCertificate::loadPEM(pem, saying("secret"));
    CHECK(loaded == exampleCertificate());
    CHECK(PrivateCertificate::loadPEM(exampleCertificate().dumpPEM("secret"), saying("secret")) == loaded);
}

TEST_CASE("a passphrase is asked for only if it is needed") {
    int asked = 0;
    CHECK(KeyPair::loadPEM(someKey().dumpPEM(), saying("x", &asked)).matches(someKey()));
    CHECK(KeyPair::load(someKey().dump(), saying("x", &asked)).matches(someKey()));
    const std::string both = traditional(otherKey(), "secret", EVP_aes_128_cbc()) + someKey().dumpPEM();
    CHECK(KeyPair::loadPEM(both, saying("x", &asked)).matches(someKey()));
    CHECK_THROWS_AS(KeyPair::loadPEM(exampleCertificate().Certificate::dumpPEM(), saying("x", &asked)), ssl::Error);
    const std::string keyAlone = traditional(someKey(), "secret", EVP_aes_128_cbc());
    CHECK_THROWS_AS(PrivateCertificate::loadPEM(keyAlone, saying("secret", &asked)), ssl::Error);
    CHECK(asked == 0);
}

TEST_CASE("an encrypted key without passphrase is an error that says how to give it, and nobody is asked") {
    const std::string certificate = exampleCertificate().Certificate::dumpPEM();
    const auto check = [](const std::string& text) {
        CHECK(contains(text, "The private key is encrypted"));
        CHECK(contains(text, "load it with a function that returns the passphrase"));
        CHECK(ERR_peek_error() == 0);
    };
    for (const std::string& pem : {pkcs8(someKey(), "secret", EVP_aes_128_cbc()),
                                   traditional(someKey(), "secret", EVP_aes_128_cbc()), someKey().dumpPEM("secret")}) {
        check(messageOf<ssl::Error>([&] { KeyPair::loadPEM(pem); }));
        check(messageOf<ssl::Error>([&] { PrivateCertificate::loadPEM(pem + certificate); }));
        CHECK(contains(messageOf<ssl::Error>([&] { KeyPair::loadPEM(pem, saying("")); }), "passphrase that was given"));
    }
    check(messageOf<ssl::Error>([] { KeyPair::load(pkcs8(someKey(), "secret", EVP_aes_128_cbc(), true)); }));
}

TEST_CASE("a wrong passphrase is an error that says so") {
    for (const std::string& pem :
         {pkcs8(someKey(), "secret", EVP_aes_128_cbc()), traditional(someKey(), "secret", EVP_aes_128_cbc())}) {
        // One of 256 wrong ones decrypts to something, which then is no key.
        for (int i = 0; i < 600; ++i) {
            const std::string text =
                messageOf<ssl::Error>([&] { KeyPair::loadPEM(pem, saying("wrong" + std::to_string(i))); });
            if (!contains(text, "the passphrase is wrong") || ERR_peek_error() != 0) {
                CAPTURE(i);
                CAPTURE(text);
                FAIL_CHECK("another error");
            }
        }
    }
    const std::string der = pkcs8(someKey(), "secret", EVP_aes_128_cbc(), true);
    CHECK(contains(messageOf<ssl::Error>([&] { KeyPair::load(der, saying("wrong")); }), "the passphrase is wrong"));
}

TEST_CASE("what a passphrase's function throws comes out") {
    const std::string pem = traditional(someKey(), "secret", EVP_aes_128_cbc());
    const auto refusing = []() -> std::string { throw RuntimeError("no terminal"); };
    CHECK(messageOf<RuntimeError>([&] { KeyPair::loadPEM(pem, refusing); }) == "no terminal");
}

TEST_CASE("a passphrase has at most 1024 octets") {
    for (const std::size_t size : {kLongestPassphrase - 1, kLongestPassphrase}) {
        const std::string text(size, 'p');
        CHECK(KeyPair::loadPEM(someKey().dumpPEM(text), saying(text)).matches(someKey()));
        CHECK(KeyPair::loadPEM(traditional(someKey(), text, EVP_aes_128_cbc()), saying(text)).matches(someKey()));
    }
    const std::string tooLong(kLongestPassphrase + 1, 'p');
    CHECK(contains(messageOf<ValueError>([&] { someKey().dumpPEM(tooLong); }), "at most 1024 octets, not 1025"));
    const std::string pem = pkcs8(someKey(), "secret", EVP_aes_128_cbc());
    CHECK(contains(messageOf<ValueError>([&] { KeyPair::loadPEM(pem, saying(tooLong)); }), "not 1025"));
    CHECK(contains(messageOf<ValueError>([] { someKey().dumpPEM(""); }), "empty passphrase protects nothing"));
}

TEST_CASE("damaged encrypted keys are errors, and so is an encryption that is not known") {
    const std::string der = pkcs8(someKey(), "secret", EVP_aes_128_cbc(), true);
    for (std::size_t size = 0; size + 1 < der.size(); ++size) {
        CHECK_THROWS_AS(KeyPair::load(der.substr(0, size), saying("secret")), ssl::Error);
    }
    const std::string pem = traditional(someKey(), "secret", EVP_aes_128_cbc());
    const auto replaced = [&pem](const std::string& old, const std::string& by) {
        std::string result = pem;
        return result.replace(result.find(old), old.size(), by);
    };
    const auto load = [](const std::string& text) {
        return messageOf<ssl::Error>([&] { KeyPair::loadPEM(text, saying("secret")); });
    };
    CHECK(contains(load(replaced("AES-128-CBC", "ROT-13")), "does not support"));
    CHECK(contains(load(replaced("AES-128-CBC", "DES-CBC")), "encrypted"));
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("an encrypted key says so in its first line, and hides the plain one") {
    const std::string pem = someKey().dumpPEM("secret");
    CHECK(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    CHECK_FALSE(pem == someKey().dumpPEM("secret"));  // another salt
}
