#include <doctest/doctest.h>

#include <openssl/pem.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <type_traits>

#include <torsion/core/error.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;
using namespace std::chrono_literals;

namespace {

using Parameters = CertificateOptions::Parameters;

Parameters example() { return Parameters(exampleCertificate()); }

CertificateOptions server(const Parameters& parameters) { return CertificateOptions(parameters); }

ClientTLSOptions client(const Parameters& extra = Parameters()) {
    return optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {}, extra);
}

template <class E>
std::string refusal(const Parameters& parameters) {
    try {
        CertificateOptions options(parameters);
    } catch (const E& error) {
        return error.what();
    }
    return "accepted";
}

/// PEM of one of OpenSSL's built-in groups.
std::string groupPEM(const char* group) {
    const std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>> context(
        EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr));
    REQUIRE(EVP_PKEY_paramgen_init(context.get()) == 1);
    REQUIRE(EVP_PKEY_CTX_set_group_name(context.get(), group) == 1);
    EVP_PKEY* native = nullptr;
    REQUIRE(EVP_PKEY_paramgen(context.get(), &native) == 1);
    const KeyPointer owner(native);
    const BIOPointer bio = collectingBIO();
    REQUIRE(PEM_write_bio_Parameters(bio.get(), native) == 1);
    return contents(bio.get());
}

const PrivateCertificate& rsaCertificate() {
    static const PrivateCertificate certificate =
        KeyPair::generate().selfSignedCert(1, DistinguishedName{{"CN", "example.com"}}, {"example.com"});
    return certificate;
}

Handshake shakeBounds(TLSVersion low, TLSVersion high, const Parameters& clientBounds) {
    return shake(client(clientBounds), server(example().insecurelyLowerMinimumTo(low).lowerMaximumSecurityTo(high)));
}

}  // namespace

TEST_CASE("key and certificate come both or neither, and a chain needs both (CFG-1)") {
    CHECK(refusal<ValueError>(Parameters().privateKey(someKey())) ==
          "Specify neither or both of privateKey and certificate");
    CHECK(refusal<ValueError>(Parameters().certificate(exampleCertificate())) ==
          "Specify neither or both of privateKey and certificate");
    CHECK(contains(refusal<ValueError>(Parameters().extraCertChain({authority()})), "supplemental certificate chain"));
    CHECK(refusal<torsion::Error>(Parameters().privateKey(someKey()).certificate(exampleCertificate())) == "accepted");
    CHECK(refusal<VerifyError>(Parameters().privateKey(otherKey()).certificate(exampleCertificate())) ==
          "Certificate public and private keys do not match.");
}

TEST_CASE("parameters that exclude each other are a TypeError that names them (CFG-1)") {
    const auto excluded = [](const Parameters& parameters) { return refusal<TypeError>(parameters); };
    CHECK(contains(excluded(example().trustRoot(authority()).verify(true)), "'trustRoot' and 'verify'"));
    CHECK(contains(excluded(example().trustRoot(authority()).verify(false)), "'trustRoot' and 'verify'"));
    CHECK(contains(excluded(example().trustRoot(authority()).caCerts({authority()})), "'trustRoot' and 'caCerts'"));
    CHECK(contains(excluded(example().trustRoot(authority()).requireCertificate(false)),
                   "'trustRoot' and 'requireCertificate'"));
    CHECK(
        contains(excluded(example().raiseMinimumTo(TLSVersion::TLSv1_2).insecurelyLowerMinimumTo(TLSVersion::TLSv1_2)),
                 "'raiseMinimumTo' and 'insecurelyLowerMinimumTo'"));
}

TEST_CASE("values that make no sense are a ValueError at construction (CFG-3)") {
    CHECK(contains(refusal<ValueError>(example().verify(true)), "if and only if"));
    CHECK(refusal<torsion::Error>(example().caCerts({authority()})) == "accepted");
    CHECK(contains(
        refusal<ValueError>(example().raiseMinimumTo(TLSVersion::TLSv1_3).lowerMaximumSecurityTo(TLSVersion::TLSv1_2)),
        "raiseMinimumTo"));
    CHECK(contains(
        refusal<ValueError>(
            example().insecurelyLowerMinimumTo(TLSVersion::TLSv1_3).lowerMaximumSecurityTo(TLSVersion::TLSv1_2)),
        "insecurelyLowerMinimumTo"));
    CHECK_THROWS_AS(Parameters().verifyDepth(-1), ValueError);
    CHECK(contains(refusal<ValueError>(example().acceptableProtocols({""})), "1 to 255"));
    CHECK(contains(refusal<ValueError>(example().acceptableProtocols({std::string(256, 'x')})), "not 256"));
    CHECK(refusal<torsion::Error>(example().acceptableProtocols({std::string(255, 'x')})) == "accepted");
    CHECK_THROWS_AS(exampleCertificate().options(std::vector<Certificate>()), ValueError);
}

TEST_CASE("timeouts have defaults and setters, and must be positive") {
    CertificateOptions options(exampleCertificate());
    CHECK(options.handshakeTimeout() == 30s);
    CHECK(options.closeTimeout() == 5s);
    const CertificateOptions copy = options;
    options.setHandshakeTimeout(1ms).setCloseTimeout(1ns);
    CHECK(options.handshakeTimeout() == 1ms);
    CHECK(options.share()->closeTimeout() == 1ns);
    CHECK(copy.handshakeTimeout() == 30s);
    CHECK_THROWS_AS(options.setHandshakeTimeout(0s), ValueError);
    CHECK_THROWS_AS(options.setCloseTimeout(-1ns), ValueError);
    CHECK_THROWS_AS(Parameters().handshakeTimeout(0s), ValueError);
    CHECK_THROWS_AS(Parameters().closeTimeout(0s), ValueError);
    const ClientTLSOptions patient = client(Parameters().handshakeTimeout(2min).closeTimeout(3min));
    CHECK(patient.handshakeTimeout() == 2min);
    CHECK(patient.closeTimeout() == 3min);
}

TEST_CASE("CertificateOptions serve a server with a certificate, and no client") {
    CHECK_FALSE(std::is_aggregate_v<CertificateOptions>);
    CHECK_FALSE(std::is_aggregate_v<Parameters>);
    const CertificateOptions options(exampleCertificate());
    try {
        options.newSession(Role::client, {});
        FAIL("a client without a host name was accepted");
    } catch (const TypeError& error) {
        CHECK(contains(error.what(), "optionsForClientTLS"));
        CHECK(contains(error.what(), "insecureOptionsForClientTLS"));
    }
    const CertificateOptions trusting = exampleCertificate().options(authority());
    CHECK_THROWS_AS(trusting.newSession(Role::client, {}), TypeError);
    const CertificateOptions empty{Parameters()};
    CHECK_THROWS_AS(empty.newSession(Role::server, {}), TypeError);
}

TEST_CASE("by default TLS 1.3 is spoken, and 1.2 is the oldest version (CFG-2)") {
    const Handshake newest = shake(client(), server(example()));
    CHECK_MESSAGE(newest.ok(), newest.clientText() << newest.serverText());
    CHECK(newest.client->version() == "TLSv1.3");
    CHECK(newest.server->version() == "TLSv1.3");
    CHECK(newest.client->cipher() == "TLS_AES_256_GCM_SHA384");

    const Handshake older = shake(client(Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_2)), server(example()));
    CHECK(older.client->version() == "TLSv1.2");

    const Handshake tooOld = shake(client(Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_1)), server(example()));
    CHECK_FALSE(tooOld.ok());
    CHECK(contains(tooOld.serverText(), "no TLS version in common"));
    CHECK(contains(tooOld.clientText(), "protocol_version"));
    CHECK(tooOld.clientFailure->value<ssl::Error>()->alert() == 70);
}

TEST_CASE("lowering the minimum really works: a TLS 1.0 handshake (CFG-4)") {
    const Handshake oldest = shakeBounds(TLSVersion::TLSv1_0, TLSVersion::TLSv1_0,
                                         Parameters().insecurelyLowerMinimumTo(TLSVersion::TLSv1_0));
    CHECK_MESSAGE(oldest.ok(), oldest.clientText() << oldest.serverText());
    CHECK(oldest.client->version() == "TLSv1");
    CHECK(SSL_get_security_level(oldest.server->native()) == 0);

    const Handshake rsa = shake(optionsForClientTLS("example.com", rsaCertificate(), std::nullopt, {},
                                                    Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_0)),
                                server(Parameters(rsaCertificate()).insecurelyLowerMinimumTo(TLSVersion::TLSv1_0)));
    CHECK_MESSAGE(rsa.ok(), rsa.clientText() << rsa.serverText());
    CHECK(rsa.server->version() == "TLSv1");

    // Others are not touched by it.
    const CertificateOptions usual(exampleCertificate());
    CHECK(SSL_get_security_level(usual.newSession(Role::server, {})->native()) >= 1);
}

TEST_CASE("lowerMaximumSecurityTo includes the version that it names (D1) (CFG-4)") {
    for (const TLSVersion version :
         {TLSVersion::TLSv1_0, TLSVersion::TLSv1_1, TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
        const Handshake exact =
            shakeBounds(version, version, Parameters().insecurelyLowerMinimumTo(TLSVersion::TLSv1_0));
        CHECK_MESSAGE(exact.ok(), exact.clientText() << exact.serverText());
        CHECK(exact.client->version() == versionName(version));
    }
}

TEST_CASE("a maximum below the default minimum pulls the minimum down") {
    const Handshake pulled = shake(client(Parameters().insecurelyLowerMinimumTo(TLSVersion::TLSv1_0)),
                                   server(example().lowerMaximumSecurityTo(TLSVersion::TLSv1_1)));
    CHECK(pulled.ok());
    CHECK(pulled.client->version() == "TLSv1.1");
}

TEST_CASE("raiseMinimumTo raises the minimum, and never lowers it (CFG-3)") {
    const Parameters upTo12 = Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_2);
    CHECK_FALSE(shake(client(upTo12), server(example().raiseMinimumTo(TLSVersion::TLSv1_3))).ok());
    CHECK(shake(client(upTo12), server(example().raiseMinimumTo(TLSVersion::TLSv1_0))).ok());
    const Parameters upTo11 = Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_1);
    CHECK_FALSE(shake(client(upTo11), server(example().raiseMinimumTo(TLSVersion::TLSv1_0))).ok());
}

#ifdef OPENSSL_NO_SSL3
TEST_CASE("a bound that this OpenSSL cannot honour is an error at construction") {
    CHECK(contains(refusal<ValueError>(example().insecurelyLowerMinimumTo(TLSVersion::SSLv3)), "built without SSLv3"));
    CHECK(contains(refusal<ValueError>(example().lowerMaximumSecurityTo(TLSVersion::SSLv3)), "built without SSLv3"));
    CHECK(refusal<ValueError>(example().raiseMinimumTo(TLSVersion::SSLv3)) == "accepted");
}
#endif

TEST_CASE("the defaults of a connection are Twisted's (CFG-2)") {
    const std::unique_ptr<Session> session = CertificateOptions(exampleCertificate()).newSession(Role::server, {});
    const SSL* native = session->native();
    const auto options = SSL_get_options(native);
    for (const auto bit :
         {SSL_OP_NO_COMPRESSION, SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_NO_TICKET, SSL_OP_NO_RENEGOTIATION}) {
        CHECK((options & bit) != 0);
    }
    CHECK((options & SSL_OP_IGNORE_UNEXPECTED_EOF) == 0);
    const auto mode = SSL_get_mode(session->native());
    CHECK((mode & SSL_MODE_RELEASE_BUFFERS) != 0);
    CHECK((mode & SSL_MODE_ENABLE_PARTIAL_WRITE) != 0);
    CHECK((mode & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) != 0);
    CHECK(SSL_get_read_ahead(native) == 0);
    CHECK(SSL_get_verify_depth(native) == 9);
    CHECK(SSL_get_verify_mode(native) == SSL_VERIFY_NONE);
    CHECK(SSL_get_num_tickets(native) == 0);
    SSL_CTX* context = SSL_get_SSL_CTX(native);
    CHECK(SSL_CTX_get_session_cache_mode(context) == SSL_SESS_CACHE_OFF);
}

TEST_CASE("no session is resumed unless enableSessions is set (CFG-2) (TT-29)") {
    for (const bool enabled : {false, true}) {
        const CertificateOptions options =
            server(example().enableSessions(enabled).lowerMaximumSecurityTo(TLSVersion::TLSv1_2));
        const ClientTLSOptions clientOptions = client();
        const Handshake first = shake(clientOptions, options);
        REQUIRE(first.ok());
        const std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>> session(SSL_get1_session(first.client->native()));
        CHECK((SSL_SESSION_is_resumable(session.get()) == 1) == enabled);
        CHECK(SSL_get_num_tickets(first.server->native()) == (enabled ? 2 : 0));
    }
}

TEST_CASE("a connection outlives the recipe that made it") {
    auto options = std::make_unique<CertificateOptions>(example().acceptableProtocols({"h2"}));
    const std::shared_ptr<const ContextFactory> shared = options->share();
    options.reset();
    const Handshake result = shake(client(Parameters().acceptableProtocols({"h2"})), *shared);
    CHECK(result.ok());
    CHECK(result.server->negotiatedProtocol() == "h2");
}

TEST_CASE("ciphers are the server's choice, and Twisted's by default (CFG-5)") {
    const std::vector<std::string> names = AcceptableCiphers().names();
    REQUIRE(names.size() > 9);
    CHECK(names[0] == "TLS_AES_256_GCM_SHA384");
    CHECK(names[1] == "TLS_CHACHA20_POLY1305_SHA256");
    CHECK(names[2] == "TLS_AES_128_GCM_SHA256");
    CHECK(names[3] == "ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK(names.back() == "AES128-SHA");

    const auto ordered = [](const char* ciphers) { return AcceptableCiphers::fromOpenSSLCipherString(ciphers); };
    const Handshake old = shake(
        client(Parameters()
                   .acceptableCiphers(ordered("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"))
                   .lowerMaximumSecurityTo(TLSVersion::TLSv1_2)),
        server(example().acceptableCiphers(ordered("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"))));
    CHECK(old.client->cipher() == "ECDHE-ECDSA-AES128-GCM-SHA256");

    const Handshake modern =
        shake(client(), server(example().acceptableCiphers(ordered("TLS_AES_128_GCM_SHA256,ECDH+AESGCM"))));
    CHECK(modern.client->cipher() == "TLS_AES_128_GCM_SHA256");

    const Handshake none = shake(client(Parameters()
                                            .acceptableCiphers(ordered("ECDHE-ECDSA-AES256-GCM-SHA384"))
                                            .lowerMaximumSecurityTo(TLSVersion::TLSv1_2)),
                                 server(example().acceptableCiphers(ordered("ECDHE-ECDSA-AES128-GCM-SHA256"))));
    CHECK(contains(none.serverText(), "no cipher in common"));
    CHECK(contains(none.clientText(), "handshake_failure"));
}

TEST_CASE("a choice that leaves no cipher is a ValueError at construction (CFG-5)") {
    const auto choice = [](const char* ciphers) { return AcceptableCiphers::fromOpenSSLCipherString(ciphers); };
    constexpr const char* kText = "Supplied AcceptableCiphers yielded no usable ciphers on this platform.";
    CHECK(refusal<ValueError>(example().acceptableCiphers(choice(""))) == kText);
    CHECK(refusal<ValueError>(example().acceptableCiphers(choice("NO-SUCH-CIPHER"))) == kText);
    CHECK(refusal<ValueError>(example().acceptableCiphers(choice("TLS_NO_SUCH"))) == kText);
    CHECK(refusal<ValueError>(example()
                                  .acceptableCiphers(choice("TLS_AES_128_GCM_SHA256"))
                                  .lowerMaximumSecurityTo(TLSVersion::TLSv1_2)) == kText);
    CHECK(choice("NO-SUCH-CIPHER").names().empty());
    CHECK(choice("TLS_AES_128_GCM_SHA256").names() == std::vector<std::string>{"TLS_AES_128_GCM_SHA256"});
    CHECK(shake(client(), server(example().acceptableCiphers(choice("TLS_AES_128_GCM_SHA256")))).ok());
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("finite-field Diffie-Hellman needs dhParameters (CFG-6)") {
    const auto dhe = AcceptableCiphers::fromOpenSSLCipherString("DHE-RSA-AES128-GCM-SHA256");
    const ClientTLSOptions wanting =
        optionsForClientTLS("example.com", rsaCertificate(), std::nullopt, {},
                            Parameters().acceptableCiphers(dhe).lowerMaximumSecurityTo(TLSVersion::TLSv1_2));
    const Parameters plain(rsaCertificate());
    CHECK_FALSE(shake(wanting, server(plain)).ok());
    const auto group = DiffieHellmanParameters::fromPEM(groupPEM("ffdhe2048"));
    CHECK(group.bits() == 2048);
    const Handshake result = shake(wanting, server(Parameters(rsaCertificate()).dhParameters(group)));
    CHECK_MESSAGE(result.ok(), result.clientText() << result.serverText());
    CHECK(result.client->cipher() == "DHE-RSA-AES128-GCM-SHA256");
}

TEST_CASE("a Diffie-Hellman group that is too small is refused with its size and file (CFG-6)") {
    const std::string small = groupPEM("modp_1536");
    std::string path = "torsion-dh-XXXXXX";
    const int descriptor = mkstemp(path.data());
    REQUIRE(descriptor >= 0);
    std::FILE* file = fdopen(descriptor, "w");
    std::fputs(small.c_str(), file);
    std::fclose(file);
    try {
        DiffieHellmanParameters::fromFile(path);
        FAIL("1536 bits were accepted");
    } catch (const ValueError& error) {
        CHECK(contains(error.what(), path.c_str()));
        CHECK(contains(error.what(), "1536 bits"));
        CHECK(contains(error.what(), "2048"));
    }
    std::remove(path.c_str());
    CHECK_THROWS_AS(DiffieHellmanParameters::fromFile(path), std::system_error);
    CHECK_THROWS_AS(DiffieHellmanParameters::fromPEM("garbage"), ValueError);
    CHECK_THROWS_AS(DiffieHellmanParameters::fromPEM(exampleCertificate().dumpPEM()), ValueError);
}

TEST_CASE("ALPN: the server walks its own list in order (TLS-16) (CFG-7)") {
    const Handshake result = shake(client(Parameters().acceptableProtocols({"http/1.1", "h2"})),
                                   server(example().acceptableProtocols({"spdy/3", "h2", "http/1.1"})));
    REQUIRE(result.ok());
    CHECK(result.client->negotiatedProtocol() == "h2");
    CHECK(result.server->negotiatedProtocol() == "h2");
}

TEST_CASE("ALPN: no overlap fails with no_application_protocol (D14, TLS-16)") {
    const Handshake result = shake(client(Parameters().acceptableProtocols({"h2"})),
                                   server(example().acceptableProtocols({"http/1.1", "h22"})));
    CHECK_FALSE(result.ok());
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->value<ssl::Error>()->alert() == 120);
    CHECK(contains(result.serverText(), "application protocols"));
}

TEST_CASE("ALPN: offered by one side only is no protocol, and no error (TLS-16)") {
    const Handshake byClient = shake(client(Parameters().acceptableProtocols({"h2"})), server(example()));
    CHECK(byClient.ok());
    CHECK_FALSE(byClient.client->negotiatedProtocol().has_value());
    const Handshake byServer = shake(client(), server(example().acceptableProtocols({"h2"})));
    CHECK(byServer.ok());
    CHECK_FALSE(byServer.server->negotiatedProtocol().has_value());
}

TEST_CASE("ALPN: a connection's own list leaves the recipe as it is (TLS-17)") {
    const CertificateOptions serverOptions = server(example().acceptableProtocols({"h2"}));
    const ClientTLSOptions clientOptions = client(Parameters().acceptableProtocols({"h2", "http/1.1"}));
    SessionOptions own;
    own.acceptableProtocols = {"http/1.1"};
    CHECK(shake(clientOptions, serverOptions, {}, own).server->negotiatedProtocol() == "http/1.1");
    CHECK(shake(clientOptions, serverOptions).server->negotiatedProtocol() == "h2");
    CHECK_FALSE(shake(clientOptions, serverOptions, own, {}).ok());
    CHECK(shake(clientOptions, serverOptions).ok());
}

TEST_CASE("options(authority) demands a client certificate that is anchored in it (CFG-13) (TT-27)") {
    const CertificateOptions options = exampleCertificate().options(exampleCertificate(), authority());
    const auto with = [](const std::optional<PrivateCertificate>& certificate,
                         TLSVersion newest = TLSVersion::TLSv1_3) {
        return optionsForClientTLS("example.com", exampleCertificate(), certificate, {},
                                   Parameters().lowerMaximumSecurityTo(newest));
    };
    const Handshake own = shake(with(exampleCertificate()), options);
    CHECK_MESSAGE(own.ok(), own.clientText() << own.serverText());
    REQUIRE(own.server->peerCertificate());
    CHECK(*own.server->peerCertificate() == exampleCertificate());
    CHECK(shake(with(issued({})), options).ok());

    const Handshake none = shake(with(std::nullopt), options);
    CHECK(contains(none.serverText(), "showed no certificate"));
    // TLS 1.3: the client is done before the server has looked (TLS-10).
    CHECK(none.clientDone);
    CHECK(none.clientFailure->value<ssl::Error>()->alert() == 116);
    CHECK_FALSE(shake(with(std::nullopt, TLSVersion::TLSv1_2), options).clientDone);

    const PrivateCertificate stranger = otherKey().selfSignedCert(9, DistinguishedName{{"CN", "a stranger"}});
    const Handshake refused = shake(with(stranger), options);
    CHECK(refused.serverFailure->check<CertificateVerifyError>());
    CHECK(contains(refused.serverText(), "a stranger"));
    CHECK(refused.clientFailure->value<ssl::Error>()->alert() == 48);
    CHECK(contains(refused.clientText(), "does not trust the issuer of our certificate"));
}

TEST_CASE("client authentication tells the client which authorities are accepted") {
    const Handshake result = shake(client(), exampleCertificate().options(authority()));
    const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(result.client->native());
    REQUIRE(sk_X509_NAME_num(names) == 1);
    CHECK(DistinguishedName::fromNative(sk_X509_NAME_value(names, 0)) == authority().getSubject());
}

TEST_CASE("the old parameters verify, caCerts and requireCertificate (CFG-1) (TT-23)") {
    const ClientTLSOptions silent = client();
    const ClientTLSOptions speaking = optionsForClientTLS("example.com", exampleCertificate(), issued({}));
    const CertificateOptions demanding = server(example().verify(true).caCerts({authority()}));
    CHECK_FALSE(shake(silent, demanding).ok());
    CHECK(shake(speaking, demanding).ok());
    const CertificateOptions asking = server(example().verify(true).caCerts({authority()}).requireCertificate(false));
    CHECK(shake(silent, asking).ok());
    CHECK(shake(speaking, asking).ok());
    const CertificateOptions deaf = server(example().verify(false).caCerts({authority()}));
    CHECK_FALSE(shake(speaking, deaf).server->peerCertificate().has_value());
}

TEST_CASE("verifyDepth bounds the certificates between the peer's and the root") {
    const PrivateCertificate between =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate leaf = between.issue(someKey(), DistinguishedName{{"CN", "leaf"}}, {"example.com"});
    const CertificateOptions options = leaf.options();
    const auto deep = [](int depth) {
        return optionsForClientTLS("example.com", authority(), std::nullopt, {}, Parameters().verifyDepth(depth));
    };
    CHECK(shake(deep(1), options).ok());
    const Handshake tooDeep = shake(deep(0), options);
    CHECK(tooDeep.clientFailure->check<CertificateVerifyError>());
}
