#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/revocation_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

// What people read when TLS fails: the side that found the fault says what it is and what to do, with OpenSSL's own
// text behind it, and the other side explains the alert.

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;

namespace {

using Parameters = CertificateOptions::Parameters;
using torsion::test::TLSPair;

Validity past() {
    const auto now = Validity::Clock::now();
    return Validity(now - 48h, now - 24h);
}

Validity future() {
    const auto now = Validity::Clock::now();
    return Validity(now + 24h, now + 48h);
}

const PrivateCertificate& goodLeaf() {
    static const PrivateCertificate certificate = issued({"example.com"});
    return certificate;
}

/// The texts that both sides must give, as parts; the alert that the one who did not find the fault gets.
struct Expected {
    std::vector<std::string> finder;
    int alert;
    std::string other;
};

void checkText(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) CHECK_MESSAGE(contains(text, part), part << " is not in: " << text);
}

void checkAlert(const std::optional<Failure>& failure, const Expected& expected) {
    REQUIRE(failure);
    const auto* error = failure->value<ssl::Error>();
    REQUIRE(error != nullptr);
    CHECK_MESSAGE(error->alert() == expected.alert, failure->getErrorMessage());
    checkText(failure->getErrorMessage(), {"The peer ended TLS with the alert " + expected.other, "(OpenSSL: error:"});
}

/// A server with @p certificate, which a client refuses in both versions.
void clientRefuses(const PrivateCertificate& certificate, const TrustRoot& trust, const Expected& expected,
                   std::string_view hostname = "example.com", const Parameters& extra = Parameters(),
                   const Parameters& server = Parameters()) {
    for (const TLSVersion version : kBothVersions) {
        CAPTURE(static_cast<int>(version));
        Parameters parameters = server;
        const Parameters own(certificate);
        parameters.privateKey(certificate.privateKey()).certificate(certificate).lowerMaximumSecurityTo(version);
        if (!certificate.chain().empty()) parameters.extraCertChain(certificate.chain());
        const Handshake result =
            shake(optionsForClientTLS(hostname, trust, std::nullopt, {}, extra), CertificateOptions(parameters));
        CHECK_FALSE(result.clientDone);
        CHECK_FALSE(result.serverDone);
        REQUIRE(result.clientFailure);
        CHECK_FALSE(result.clientFailure->check<ConnectionClosed>());
        checkText(result.clientText(), expected.finder);
        checkText(result.clientText(), {"(OpenSSL: error:"});
        CHECK_FALSE(result.clientFailure->value<ssl::Error>()->alert().has_value());
        checkAlert(result.serverFailure, expected);
    }
    CHECK(ERR_peek_error() == 0);
}

/// A client with @p certificate, which a server that demands one refuses in both versions.
void serverRefuses(const std::optional<PrivateCertificate>& certificate, const Expected& expected) {
    for (const TLSVersion version : kBothVersions) {
        CAPTURE(static_cast<int>(version));
        const CertificateOptions server(Parameters(goodLeaf()).trustRoot(authority()).lowerMaximumSecurityTo(version));
        const Handshake result = shake(optionsForClientTLS("example.com", authority(), certificate), server);
        CHECK_FALSE(result.serverDone);
        REQUIRE(result.serverFailure);
        checkText(result.serverText(), expected.finder);
        checkText(result.serverText(), {"(OpenSSL: error:"});
        Expected forVersion = expected;
        // TLS 1.2 has no alert of its own for a certificate that is missing.
        if (expected.alert == SSL_AD_CERTIFICATE_REQUIRED && version == TLSVersion::TLSv1_2) {
            forVersion.alert = SSL_AD_HANDSHAKE_FAILURE;
            forVersion.other =
                "handshake_failure: we have no cipher or other parameter in common, or it wants a certificate";
        }
        checkAlert(result.clientFailure, forVersion);
    }
    CHECK(ERR_peek_error() == 0);
}

/// What a failure at creation says.
template <class E>
void checkRefusal(const std::function<void()>& function, const std::vector<std::string>& parts) {
    checkText(refusalOf<E>(function), parts);
    CHECK(ERR_peek_error() == 0);
}

std::vector<std::string> namesToldToClient(const Handshake& result) {
    const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(result.client->native());
    std::vector<std::string> told;
    for (int i = 0; i < sk_X509_NAME_num(names); ++i) {
        told.push_back(DistinguishedName::fromNative(sk_X509_NAME_value(names, i)).commonName());
    }
    return told;
}

PrivateCertificate weakCertificate() {
    const KeyPointer native(EVP_RSA_gen(512));
    const KeyPair key = KeyPair::fromNative(native.get());
    return authority().issue(key, DistinguishedName{{"CN", "weak"}}, {"example.com"});
}

}  // namespace

TEST_CASE("failure text: the issuer is unknown") {
    clientRefuses(goodLeaf(), exampleCertificate(),
                  {{"unable to get local issuer certificate (subject 'a leaf', depth 0)", "its issuer 'Test Authority'",
                    "trust the authority explicitly", "certificate verify failed"},
                   SSL_AD_UNKNOWN_CA,
                   "unknown_ca: it does not trust the issuer of our certificate"});
}

TEST_CASE("failure text: self-signed") {
    clientRefuses(
        exampleCertificate(), authority(),
        {{"self-signed certificate (subject 'example.com', depth 0)", "it signed itself", "trust it explicitly"},
         SSL_AD_UNKNOWN_CA,
         "unknown_ca: "});
    const auto whole = PrivateCertificate::fromCertificateAndKeyPair(goodLeaf(), someKey(), {authority()});
    clientRefuses(whole, exampleCertificate(),
                  {{"self-signed certificate in certificate chain (subject 'Test Authority', depth 1)",
                    "its authority is not among our trust roots"},
                   SSL_AD_UNKNOWN_CA,
                   "unknown_ca: "});
}

TEST_CASE("failure text: an authority of the same name and with another key") {
    const PrivateCertificate renewed = thirdKey().selfSignedCert(3, DistinguishedName{{"CN", "Test Authority"}});
    for (const TLSVersion version : kBothVersions) {
        const Handshake result = shake(optionsForClientTLS("example.com", renewed),
                                       CertificateOptions(Parameters(goodLeaf()).lowerMaximumSecurityTo(version)));
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        checkText(result.clientText(), {"'Test Authority'", "certificate verify failed"});
    }
}

TEST_CASE("failure text: expired, and not yet valid") {
    clientRefuses(issued({"example.com"}, past()), authority(),
                  {{"certificate has expired (subject 'a leaf', depth 0)", "it expired at "},
                   SSL_AD_CERTIFICATE_EXPIRED,
                   "certificate_expired: our certificate is expired or not valid yet"});
    clientRefuses(issued({"example.com"}, future()), authority(),
                  {{"certificate is not yet valid", "it is valid from ", "is the clock right?"},
                   SSL_AD_BAD_CERTIFICATE,
                   "bad_certificate: it does not accept our certificate"});
}

TEST_CASE("failure text: another host's") {
    clientRefuses(goodLeaf(), authority(),
                  {{"not for 'example.org': it is for 'example.com'", "certificate verify failed"},
                   SSL_AD_BAD_CERTIFICATE,
                   "bad_certificate: it does not accept our certificate, such as for a wrong name"},
                  "example.org");
    clientRefuses(goodLeaf(), authority(),
                  {{"not for '192.0.2.1': it is for 'example.com'"}, SSL_AD_BAD_CERTIFICATE, "bad_certificate: "},
                  "192.0.2.1");
}

TEST_CASE("failure text: made for the other side") {
    clientRefuses(withExtension(goodLeaf(), authority(), NID_ext_key_usage, "clientAuth"), authority(),
                  {{"unsuitable certificate purpose", "it was not made for this side", "serverAuth for a server"},
                   SSL_AD_UNSUPPORTED_CERTIFICATE,
                   "unsupported_certificate: our certificate is of a kind it does not accept"});
    serverRefuses(withExtension(issued({}), authority(), NID_ext_key_usage, "serverAuth"),
                  {{"unsuitable certificate purpose", "it was not made for this side", "clientAuth for a client"},
                   SSL_AD_UNSUPPORTED_CERTIFICATE,
                   "unsupported_certificate: "});
}

TEST_CASE("failure text: the intermediate is missing, the chain too long") {
    const PrivateCertificate deep = intermediate().issue(someKey(), DistinguishedName{{"CN", "deep"}}, {"example.com"});
    clientRefuses(PrivateCertificate::fromCertificateAndKeyPair(deep, someKey()), authority(),
                  {{"its issuer 'between' is neither among our trust roots nor sent by the peer",
                    "have the peer send its whole chain"},
                   SSL_AD_UNKNOWN_CA,
                   "unknown_ca: "});
    clientRefuses(deep, authority(),
                  {{"certificate chain too long", "there are more certificates up to the root than verifyDepth allows"},
                   SSL_AD_UNKNOWN_CA,
                   "unknown_ca: "},
                  "example.com", Parameters().verifyDepth(0));
}

TEST_CASE("failure text: a key too weak, on the peer's side and on ours") {
    const PrivateCertificate weak = weakCertificate();
    checkRefusal<ssl::Error>([&] { CertificateOptions{weak}; },
                             {"The certificate <Certificate Subject=weak Issuer=Test Authority> is not usable",
                              "The key of our certificate is too small for the security level", "ee key too small"});
    const CertificateOptions careless(
        Parameters(weak).insecurelyLowerMinimumTo(TLSVersion::TLSv1_0).lowerMaximumSecurityTo(TLSVersion::TLSv1_2));
    const Handshake result = shake(optionsForClientTLS("example.com", authority()), careless);
    REQUIRE(result.clientFailure);
    CHECK(result.clientFailure->check<CertificateVerifyError>());
    checkText(result.clientText(), {"EE certificate key too weak (subject 'weak', depth 0)",
                                    "its key is too small for the security level", "certificate verify failed"});
    checkAlert(result.serverFailure, {{}, SSL_AD_BAD_CERTIFICATE, "bad_certificate: "});
}

TEST_CASE("failure text: no version in common") {
    const CertificateOptions older(Parameters(goodLeaf()).lowerMaximumSecurityTo(TLSVersion::TLSv1_2));
    const auto newer = optionsForClientTLS("example.com", authority(), std::nullopt, {},
                                           Parameters().raiseMinimumTo(TLSVersion::TLSv1_3));
    const Handshake result = shake(newer, older);
    checkText(result.serverText(), {"We have no TLS version in common with the peer", "unsupported protocol"});
    checkAlert(result.clientFailure,
               {{}, SSL_AD_PROTOCOL_VERSION, "protocol_version: we have no TLS version in common"});
    const CertificateOptions modern(Parameters(goodLeaf()).raiseMinimumTo(TLSVersion::TLSv1_3));
    const Handshake other = shake(optionsForClientTLS("example.com", authority(), std::nullopt, {},
                                                      Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_2)),
                                  modern);
    checkText(other.serverText(), {"We have no TLS version in common with the peer", "unsupported protocol"});
    checkAlert(other.clientFailure, {{}, SSL_AD_PROTOCOL_VERSION, "protocol_version: "});
}

TEST_CASE("failure text: no cipher in common") {
    const auto with = [](const char* ciphers, TLSVersion version) {
        return Parameters()
            .acceptableCiphers(AcceptableCiphers::fromOpenSSLCipherString(ciphers))
            .lowerMaximumSecurityTo(version);
    };
    const auto attempt = [&](const char* ours, const char* theirs, TLSVersion version) {
        Parameters server = with(theirs, version);
        server.privateKey(someKey()).certificate(goodLeaf());
        const Handshake result =
            shake(optionsForClientTLS("example.com", authority(), std::nullopt, {}, with(ours, version)),
                  CertificateOptions(server));
        checkText(result.serverText(), {"We have no cipher in common with the peer", "no shared cipher"});
        checkAlert(result.clientFailure, {{}, SSL_AD_HANDSHAKE_FAILURE, "handshake_failure: we have no cipher"});
    };
    attempt("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", TLSVersion::TLSv1_2);
    attempt("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", TLSVersion::TLSv1_3);
    attempt("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", TLSVersion::TLSv1_2);  // the key is no RSA
}

TEST_CASE("failure text: no application protocol in common (D14, TLS-16)") {
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server(
            Parameters(goodLeaf()).acceptableProtocols({"http/1.1"}).lowerMaximumSecurityTo(version));
        const Handshake result = shake(optionsForClientTLS("example.com", authority(), std::nullopt, {"h2"}), server);
        checkText(result.serverText(),
                  {"The peer offers none of the application protocols that we speak", "no application protocol"});
        checkAlert(result.clientFailure, {{},
                                          SSL_AD_NO_APPLICATION_PROTOCOL,
                                          "no_application_protocol: it speaks none of the protocols that we offer"});
    }
}

TEST_CASE("failure text: a client's certificate that is missing, untrusted, expired") {
    serverRefuses(std::nullopt, {{"The peer showed no certificate, and we demand one", "peer did not return"},
                                 SSL_AD_CERTIFICATE_REQUIRED,
                                 "certificate_required: it demands a certificate, and we showed none"});
    const PrivateCertificate stranger = thirdKey().selfSignedCert(9, DistinguishedName{{"CN", "a stranger"}});
    serverRefuses(stranger, {{"self-signed certificate (subject 'a stranger', depth 0)", "it signed itself"},
                             SSL_AD_UNKNOWN_CA,
                             "unknown_ca: it does not trust the issuer of our certificate"});
    serverRefuses(issued({}, past()),
                  {{"certificate has expired", "it expired at "}, SSL_AD_CERTIFICATE_EXPIRED, "certificate_expired: "});
    serverRefuses(
        issued({}, future()),
        {{"certificate is not yet valid", "is the clock right?"}, SSL_AD_BAD_CERTIFICATE, "bad_certificate: "});
}

TEST_CASE("failure text: plain text comes to a TLS server") {
    const CertificateOptions server(goodLeaf());
    for (const char* request :
         {"GET / HTTP/1.1\r\n\r\n", "POST /a HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n", "PUT /a HTTP/1.1\r\n\r\n"}) {
        const std::optional<Failure> failure = feed(server, Role::server, request);
        REQUIRE(failure);
        checkText(failure->getErrorMessage(), {"The peer speaks plain HTTP to a TLS port", "http request"});
    }
    const std::optional<Failure> proxy = feed(server, Role::server, "CONNECT example.com:443 HTTP/1.1\r\n\r\n");
    REQUIRE(proxy);
    checkText(proxy->getErrorMessage(), {"takes this TLS port for an HTTP proxy", "https proxy request"});
    for (const char* text : {"SSH-2.0-OpenSSH_9.2\r\n", "EHLO client.example\r\n", "a line of text\r\n"}) {
        const std::optional<Failure> failure = feed(server, Role::server, text);
        REQUIRE(failure);
        checkText(failure->getErrorMessage(), {"The peer does not speak TLS here", "(OpenSSL: error:"});
    }
}

TEST_CASE("failure text: a TLS client meets a server that speaks plain text (TLS-11)") {
    for (const TLSVersion version : kBothVersions) {
        const auto client = optionsForClientTLS("example.com", authority(), std::nullopt, {},
                                                Parameters().lowerMaximumSecurityTo(version));
        for (const char* greeting : {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "220 mail.example.com ESMTP ready\r\n",
                                     "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html></html>",
                                     "* OK IMAP4rev1 ready\r\n", "<html><body>400</body></html>"}) {
            const std::optional<Failure> failure = feed(client, Role::client, greeting);
            REQUIRE(failure);
            CHECK_FALSE(failure->check<ConnectionClosed>());
            checkText(failure->getErrorMessage(), {"The peer does not speak TLS here", "a plaintext port",
                                                   "STARTTLS first", "wrong version number"});
        }
    }
}

TEST_CASE("failure text: the peer ends the connection in the middle of the handshake, at each flight") {
    constexpr int kMostTurns = 20;
    for (const TLSVersion version : kBothVersions) {
        for (const bool byServer : {true, false}) {
            for (const bool reset : {false, true}) {
                int cuts = 0;
                for (int turns = 0; turns < kMostTurns; ++turns) {
                    CAPTURE(turns);
                    TLSPair pair(version);
                    pair.start();
                    for (int i = 0; i < turns; ++i) pair.pump->pump();
                    const auto& victim = byServer ? pair.client : pair.server;
                    if (victim->handshakes > 0) break;
                    ++cuts;
                    auto& killer = byServer ? pair.pump->server() : pair.pump->client();
                    pair.inTurn([&] { reset ? killer.abortConnection() : killer.loseConnection(); });
                    pair.flush();
                    if (victim->handshakes > 0) continue;  // the last flight was under way already
                    REQUIRE(victim->reason);
                    if (reset) {
                        CHECK(victim->why() == "ConnectionLost");
                    } else {
                        CHECK(victim->why() == "TLSTruncated");
                        checkText(
                            victim->reason->getErrorMessage(),
                            {"the peer ended the connection in the middle of the handshake", "may not speak TLS here"});
                    }
                }
                CHECK(cuts >= 2);
            }
        }
    }
}

TEST_CASE("failure text: a handshake that takes too long names the limit (D4)") {
    TLSPair pair;
    auto options = torsion::test::goodClient();
    options.setHandshakeTimeout(1500ms);
    pair.connectWith(options);
    pair.serverOutside = std::make_shared<torsion::test::TLSApplication>();  // plain, and silent
    pair.start();
    pair.flush();
    pair.pump->advance(1500ms);
    CHECK(pair.client->why() == "TLSHandshakeTimeout");
    REQUIRE(pair.client->reason);
    checkText(pair.client->reason->getErrorMessage(), {"TLS handshake did not finish in time", "the limit is 1500 ms"});
}

TEST_CASE("failure text: key and certificate that cannot be used") {
    const std::string certificate = goodLeaf().Certificate::dumpPEM();
    const std::string key = someKey().dumpPEM();
    checkRefusal<VerifyError>([&] { PrivateCertificate::loadPEM(certificate + otherKey().dumpPEM()); },
                              {"Certificate public and private keys do not match."});
    checkRefusal<VerifyError>([] { CertificateOptions(Parameters().privateKey(otherKey()).certificate(goodLeaf())); },
                              {"Certificate public and private keys do not match."});
    checkRefusal<ssl::Error>([&] { PrivateCertificate::loadPEM(certificate); },
                             {"holds no private key", "it holds a certificate"});
    checkRefusal<ssl::Error>([&] { PrivateCertificate::loadPEM(key); }, {"holds no certificate", "a private key"});
    checkRefusal<ssl::Error>([&] { Certificate::loadPEM(key); }, {"holds no certificate", "a private key"});
    checkRefusal<ssl::Error>([] { Certificate::loadPEM(revocationList(authority(), {}).dumpPEM()); },
                             {"holds no certificate", "a block of type X509 CRL"});
    checkRefusal<ssl::Error>([] { PrivateCertificate::loadPEM(""); }, {"PEM data is empty"});
    checkRefusal<ssl::Error>([] { Certificate::loadPEM("nothing of the kind"); },
                             {"This is not PEM data", "-----BEGIN CERTIFICATE-----"});
    checkRefusal<ssl::Error>([] { Certificate::loadPEM(goodLeaf().dump()); }, {"looks like DER, which load() reads"});
    checkRefusal<ssl::Error>([&] { PrivateCertificate::loadPEM(goodLeaf().dumpPEM("a passphrase")); },
                             {"encrypted", "passphrase"});
}

TEST_CASE("a client sees exactly the authorities that a server accepts (RFC 5246, 7.4.4; RFC 8446, 4.2.4)") {
    const PrivateCertificate another = thirdKey().selfSignedCert(7, DistinguishedName{{"CN", "Another"}});
    const PrivateCertificate renewed = thirdKey().selfSignedCert(8, DistinguishedName{{"CN", "Test Authority"}});
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "torsion-roots-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    const fs::path folder = name;
    std::ofstream(folder / "a.pem") << authority().Certificate::dumpPEM();
    std::ofstream(folder / "b.pem") << another.Certificate::dumpPEM();
    std::ofstream(folder / "all.txt") << authority().Certificate::dumpPEM() << another.Certificate::dumpPEM();
    const std::vector<std::string> both = {"Another", "Test Authority"};
    for (const TLSVersion version : kBothVersions) {
        const auto told = [&](const TrustRoot& root) {
            const CertificateOptions server(Parameters(goodLeaf()).trustRoot(root).lowerMaximumSecurityTo(version));
            const Handshake result = shake(optionsForClientTLS("example.com", authority(), issued({})), server);
            CHECK_MESSAGE(result.ok(), result.serverText());
            std::vector<std::string> names = namesToldToClient(result);
            std::sort(names.begin(), names.end());
            return names;
        };
        CHECK(told(authority()) == std::vector<std::string>{"Test Authority"});
        CHECK(told(trustRootFromCertificates({authority(), another})) == both);
        CHECK(told(trustRootFromCertificates({authority(), another, renewed})) == both);  // a name once
        CHECK(told(trustRootFromFile((folder / "all.txt").string())) == both);
        CHECK(told(trustRootFromDirectory(folder.string())) == both);
    }
    fs::remove_all(folder);
}
