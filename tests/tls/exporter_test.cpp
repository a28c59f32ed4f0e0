#include <doctest/doctest.h>

#include <string>

#include <openssl/evp.h>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/resumption_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::TLSPair;

namespace {

constexpr std::string_view kLabel = "EXPERIMENTAL test";

Bytes digestOf(const Certificate& certificate, const EVP_MD* hash) {
    const Bytes der = certificate.dump();
    Bytes digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    REQUIRE(EVP_Digest(der.data(), der.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, hash, nullptr) ==
            1);
    digest.resize(size);
    return digest;
}

/// @p certificate, signed anew by its own key with @p hash.
PrivateCertificate resigned(const PrivateCertificate& certificate, const EVP_MD* hash) {
    const CertificatePointer copy(X509_dup(certificate.native()));
    REQUIRE(X509_sign(copy.get(), certificate.privateKey().native(), hash) > 0);
    return PrivateCertificate::fromCertificateAndKeyPair(Certificate::fromNative(copy.get()), certificate.privateKey());
}

/// Shakes hands without looking at the server's certificate.
Handshake shakeWith(const PrivateCertificate& certificate, TLSVersion version) {
    // The default security level refuses certificates that are signed with SHA-1.
    const AcceptableCiphers weak = AcceptableCiphers::fromOpenSSLCipherString("ALL:@SECLEVEL=0");
    const CertificateOptions options(Parameters(certificate).lowerMaximumSecurityTo(version).acceptableCiphers(weak));
    return shake(insecureOptionsForClientTLS("example.com", {}, Parameters().acceptableCiphers(weak)), options);
}

}  // namespace

TEST_CASE("both ends export the same keying material, other ones for other labels, contexts and sizes (RFC 5705)") {
    for (const TLSVersion version : kVersions) {
        const Handshake both = shake(torsion::test::goodClient(), CertificateOptions(server(version)));
        REQUIRE(both.ok());
        const auto exported = [&](std::string_view label, std::size_t size, std::optional<BytesView> context) {
            const Bytes material = both.client->exportKeyingMaterial(label, size, context);
            CHECK(material == both.server->exportKeyingMaterial(label, size, context));
            CHECK(material.size() == size);
            return material;
        };
        const Bytes plain = exported(kLabel, 32, std::nullopt);
        CHECK(plain == exported(kLabel, 32, std::nullopt));
        CHECK(plain != exported("EXPERIMENTAL other", 32, std::nullopt));
        CHECK(plain != exported(kLabel, 32, "a context"));
        CHECK(exported(kLabel, 32, "a context") != exported(kLabel, 32, "another"));
        // TLS 1.3 knows no difference between an empty context and none (RFC 8446, 7.5).
        CHECK((plain == exported(kLabel, 32, "")) == (version == TLSVersion::TLSv1_3));

        const Handshake later = shake(torsion::test::goodClient(), CertificateOptions(server(version)));
        CHECK(plain != later.client->exportKeyingMaterial(kLabel, 32));
    }
}

TEST_CASE("what is exported is bounded, and the labels of TLS itself are refused (RFC 5705, 4)") {
    for (const TLSVersion version : kVersions) {
        const Handshake both = shake(torsion::test::goodClient(), CertificateOptions(server(version)));
        const Session& session = *both.client;
        CHECK_THROWS_AS(session.exportKeyingMaterial(kLabel, 0), ValueError);
        CHECK(session.exportKeyingMaterial(kLabel, 1).size() == 1);
        CHECK(session.exportKeyingMaterial(kLabel, Session::kMostKeyingMaterial).size() ==
              Session::kMostKeyingMaterial);
        CHECK_THROWS_AS(session.exportKeyingMaterial(kLabel, Session::kMostKeyingMaterial + 1), ValueError);
        CHECK_THROWS_AS(session.exportKeyingMaterial("", 32), ValueError);
        CHECK_NOTHROW(session.exportKeyingMaterial(std::string(Session::kLongestLabel, 'x'), 32));
        CHECK_THROWS_AS(session.exportKeyingMaterial(std::string(Session::kLongestLabel + 1, 'x'), 32), ValueError);
        const std::string longest(Session::kLongestContext, 'x');
        CHECK_NOTHROW(session.exportKeyingMaterial(kLabel, 32, longest));
        CHECK_THROWS_AS(session.exportKeyingMaterial(kLabel, 32, longest + 'x'), ValueError);
        for (const char* label : {"client finished", "server finished", "master secret", "extended master secret",
                                  "key expansion", "key expansion and more"}) {
            CHECK_THROWS_AS(session.exportKeyingMaterial(label, 32), ValueError);
        }
    }
}

TEST_CASE("nothing is exported or bound before the handshake is done (RFC 5705, RFC 5929)") {
    const auto session = torsion::test::goodClient().newSession(Role::client, {});
    CHECK_FALSE(session->reused());
    CHECK_THROWS_AS(session->exportKeyingMaterial(kLabel, 32), RuntimeError);
    CHECK_THROWS_AS(session->channelBinding("tls-exporter"), RuntimeError);
    CHECK_THROWS_AS(session->channelBinding("tls-server-end-point"), RuntimeError);

    TLSPair pair;
    pair.client->onMade = [&] {
        CHECK_THROWS_AS(pair.client->ssl().exportKeyingMaterial(kLabel, 32), RuntimeError);
        CHECK_THROWS_AS(pair.client->ssl().channelBinding("tls-exporter"), RuntimeError);
    };
    pair.client->onHandshake = [&] { CHECK(pair.client->ssl().exportKeyingMaterial(kLabel, 32).size() == 32); };
    pair.up();
    CHECK(pair.client->ssl().exportKeyingMaterial(kLabel, 32) == pair.server->ssl().exportKeyingMaterial(kLabel, 32));
    CHECK(pair.client->ssl().channelBinding("tls-exporter") == pair.server->ssl().channelBinding("tls-exporter"));
}

TEST_CASE("a ticket that is half read takes nothing back (RFC 8446, 7.5)") {
    const CertificateOptions options(server().enableSessionTickets(true));
    const auto client = resumingClient();
    CHECK_FALSE(resumes(client, options));
    Handshake both;
    both.client = client.newSession(Role::client, {});
    both.server = options.newSession(Role::server, {});
    SSL* ends[] = {both.client->native(), both.server->native()};
    for (SSL* end : ends) {
        BIO* input = BIO_new(BIO_s_mem());
        BIO_set_mem_eof_return(input, -1);
        SSL_set_bio(end, input, BIO_new(BIO_s_mem()));
    }
    int afterwards = 0;
    for (int round = 0; round < 4; ++round) {
        for (const int from : {0, 1}) {
            if (round == 0 && from == 0) advance(*both.client, both.clientDone, both.clientFailure);
            for (const char octet : contents(SSL_get_wbio(ends[from]))) {
                REQUIRE(BIO_write(SSL_get_rbio(ends[1 - from]), &octet, 1) == 1);
                if (from == 0) {
                    advance(*both.server, both.serverDone, both.serverFailure);
                } else {
                    advance(*both.client, both.clientDone, both.clientFailure);
                }
                if (!both.clientDone) continue;
                ++afterwards;
                REQUIRE(both.client->reused());
                REQUIRE(both.client->exportKeyingMaterial(kLabel, 32).size() == 32);
            }
            REQUIRE(BIO_reset(SSL_get_wbio(ends[from])) == 1);
        }
    }
    CHECK(both.ok());
    CHECK(afterwards > 100);
    CHECK(both.server->exportKeyingMaterial(kLabel, 32) == both.client->exportKeyingMaterial(kLabel, 32));
}

TEST_CASE("the binding tls-exporter is the same at both ends and another for each connection (RFC 9266)") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(server(version).enableSessionTickets(true));
        const auto client = resumingClient();
        std::vector<Bytes> bindings;
        for (const bool resumed : {false, true, true}) {
            const Connection connection(client, options);
            CHECK(connection.resumed() == resumed);
            bindings.push_back(connection.handshake.client->channelBinding("tls-exporter"));
            CHECK(bindings.back() == connection.handshake.server->channelBinding("tls-exporter"));
            CHECK(bindings.back() ==
                  connection.handshake.client->exportKeyingMaterial("EXPORTER-Channel-Binding", 32, ""));
        }
        CHECK(bindings[0] != bindings[1]);
        CHECK(bindings[1] != bindings[2]);
    }
}

TEST_CASE("TLS 1.2 without the extended master secret has no tls-exporter binding (RFC 9266, 4.2)") {
    Handshake both;
    both.client = torsion::test::goodClient().newSession(Role::client, {});
    both.server = CertificateOptions(server(TLSVersion::TLSv1_2)).newSession(Role::server, {});
    SSL_set_options(both.client->native(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
    finish(both);
    REQUIRE(both.ok());
    CHECK_THROWS_AS(both.client->channelBinding("tls-exporter"), RuntimeError);
    CHECK_THROWS_AS(both.server->channelBinding("tls-exporter"), RuntimeError);
    CHECK_NOTHROW(both.server->channelBinding("tls-server-end-point"));
}

TEST_CASE("the binding tls-server-end-point is the certificate's hash by its own hash, SHA-256 at least (RFC 5929)") {
    struct Case {
        const EVP_MD* signature;
        const EVP_MD* binding;
    };
    for (const TLSVersion version : kVersions) {
        for (const Case& one : {Case{EVP_sha1(), EVP_sha256()}, Case{EVP_sha256(), EVP_sha256()},
                                Case{EVP_sha384(), EVP_sha384()}, Case{EVP_sha512(), EVP_sha512()}}) {
            const PrivateCertificate certificate = resigned(exampleCertificate(), one.signature);
            const Handshake both = shakeWith(certificate, version);
            REQUIRE_MESSAGE(both.ok(), both.clientText() << both.serverText());
            const Bytes binding = both.client->channelBinding("tls-server-end-point");
            CHECK(binding == both.server->channelBinding("tls-server-end-point"));
            CHECK(binding == digestOf(certificate, one.binding));
        }
    }
    // A client's own certificate plays no part.
    const CertificateOptions demanding(server().trustRoot(authority()));
    const Handshake both =
        shake(optionsForClientTLS("example.com", exampleCertificate(), issued({"client.example"})), demanding);
    REQUIRE(both.ok());
    CHECK(both.client->channelBinding("tls-server-end-point") == digestOf(exampleCertificate(), EVP_sha256()));
    CHECK(both.server->channelBinding("tls-server-end-point") == digestOf(exampleCertificate(), EVP_sha256()));
}

TEST_CASE("MD5 signatures bind with SHA-256, those of RSA-PSS with their hash (RFC 5929, 4.1)") {
    const KeyPair key = KeyPair::generate(KeyPair::Kind::rsa);
    const PrivateCertificate rsa = key.selfSignedCert(1, DistinguishedName{{"CN", "example.com"}}, {"example.com"});
    const PrivateCertificate md5 = resigned(rsa, EVP_md5());
    const Handshake old = shakeWith(md5, TLSVersion::TLSv1_2);
    REQUIRE_MESSAGE(old.ok(), old.clientText() << old.serverText());
    CHECK(old.client->channelBinding("tls-server-end-point") == digestOf(md5, EVP_sha256()));

    const CertificatePointer copy(X509_dup(rsa.native()));
    EVP_MD_CTX* signing = EVP_MD_CTX_new();
    EVP_PKEY_CTX* padding = nullptr;
    REQUIRE(EVP_DigestSignInit(signing, &padding, EVP_sha384(), nullptr, key.native()) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1);
    REQUIRE(X509_sign_ctx(copy.get(), signing) > 0);
    EVP_MD_CTX_free(signing);
    const auto pss = PrivateCertificate::fromCertificateAndKeyPair(Certificate::fromNative(copy.get()), key);
    const Handshake modern = shakeWith(pss, TLSVersion::TLSv1_3);
    REQUIRE(modern.ok());
    CHECK(modern.client->channelBinding("tls-server-end-point") == digestOf(pss, EVP_sha384()));
}

TEST_CASE(
    "a certificate signed without a hash has no tls-server-end-point binding, and the text says what has (RFC 5929)") {
    const KeyPair key = KeyPair::generate(KeyPair::Kind::ed25519);
    const Handshake both = shakeWith(key.selfSignedCert(1, DistinguishedName{{"CN", "example.com"}}, {"example.com"}),
                                     TLSVersion::TLSv1_3);
    REQUIRE(both.ok());
    for (const Session* session : {both.client.get(), both.server.get()}) {
        CHECK_THROWS_WITH_AS(session->channelBinding("tls-server-end-point"),
                             doctest::Contains("Ed25519; use tls-exporter"), RuntimeError);
        CHECK_NOTHROW(session->channelBinding("tls-exporter"));
    }
}

TEST_CASE("an unknown channel binding is refused with the list of those that there are (RFC 5056)") {
    const Handshake both = shake(torsion::test::goodClient(), CertificateOptions(server()));
    for (const char* type : {"tls-unique", "", "TLS-EXPORTER"}) {
        CHECK_THROWS_WITH_AS(both.client->channelBinding(type),
                             doctest::Contains("tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929)"),
                             ValueError);
    }
}
