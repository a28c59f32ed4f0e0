#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tls/server_name_map.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::kVersions;
using torsion::test::TLSPair;

namespace {

using Names = std::vector<std::string>;
using Parameters = CertificateOptions::Parameters;
using Entries = ServerNameMap::Entries;

CertificateOptions serving(const Names& names) { return issued(names).options(); }

/// A client that asks for @p name, if it is not empty, and looks at no certificate.
InsecureClientOptions asking(const std::string& name, const Parameters& extra = Parameters()) {
    return insecureOptionsForClientTLS(name, {}, extra);
}

/// The names of the certificate that a client gets to see who asks for @p name; none if there is no connection.
Names shown(const ServerNameMap& map, const std::string& name, TLSVersion version = TLSVersion::TLSv1_3) {
    const Handshake result = shake(asking(name, Parameters().lowerMaximumSecurityTo(version)), map);
    return result.ok() ? result.client->peerCertificate()->subjectAltNames() : Names();
}

/// Shakes hands with the SNI extension as it is given.
Handshake shakeWithSNI(const ServerNameMap& map, const std::string& name) {
    struct Raw final : ContextFactory {
        explicit Raw(std::string n) : name(std::move(n)), base(insecureOptionsForClientTLS()) {}
        std::shared_ptr<const ContextFactory> share() const override { return std::make_shared<Raw>(*this); }
        std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override {
            auto session = base.newSession(role, options);
            SSL_set_tlsext_host_name(session->native(), name.c_str());
            return session;
        }
        Duration handshakeTimeout() const override { return base.handshakeTimeout(); }
        Duration closeTimeout() const override { return base.closeTimeout(); }
        std::string name;
        InsecureClientOptions base;
    };
    return shake(Raw(name), map);
}

const PrivateCertificate& clientCertificate() {
    static const PrivateCertificate certificate = issued({"client.example"});
    return certificate;
}

Parameters demanding(const Names& names) { return Parameters(issued(names)).trustRoot(authority()); }

}  // namespace

TEST_CASE("the certificate goes by the name that the client asks for (SNI)") {
    const ServerNameMap map(Entries()
                                .add(serving({"a.example", "www.a.example"}))
                                .add(serving({"b.example"}))
                                .byDefault(serving({"default.example"})));
    for (const TLSVersion version : kVersions) {
        CHECK(shown(map, "a.example", version) == Names{"a.example", "www.a.example"});
        CHECK(shown(map, "www.a.example", version) == Names{"a.example", "www.a.example"});
        CHECK(shown(map, "b.example", version) == Names{"b.example"});
        CHECK(shown(map, "c.example", version) == Names{"default.example"});
        CHECK(shown(map, "", version) == Names{"default.example"});
    }
    CHECK(map.names() == Names{"a.example", "b.example", "www.a.example"});
}

TEST_CASE("a verifying client is content with the certificate of its name (SNI, TLS-18)") {
    const ServerNameMap map(Entries().add(serving({"a.example"})).add(serving({"b.example"})));
    for (const char* name : {"a.example", "b.example"}) {
        const Handshake result = shake(optionsForClientTLS(name, authority()), map);
        CHECK(result.ok());
        CHECK(result.server->serverName() == name);
    }
}

TEST_CASE("a wildcard stands for exactly one label (SNI)") {
    const ServerNameMap map(Entries()
                                .add(serving({"*.example.com"}))
                                .add(serving({"exact.example.com"}))
                                .byDefault(serving({"default.example"})));
    CHECK(shown(map, "a.example.com") == Names{"*.example.com"});
    CHECK(shown(map, "A.EXAMPLE.com") == Names{"*.example.com"});
    CHECK(shown(map, "exact.example.com") == Names{"exact.example.com"});
    CHECK(shown(map, "example.com") == Names{"default.example"});
    CHECK(shown(map, "a.b.example.com") == Names{"default.example"});
    CHECK(map.find("*.example.com") == map.find("x.example.com"));  // as any other label
    CHECK(map.find(".example.com") == map.find(""));
    CHECK(map.names() == Names{"exact.example.com", "*.example.com"});
}

TEST_CASE("neither case nor a final dot counts in a server name (SNI)") {
    const ServerNameMap map(Entries().add(serving({"a.example"})).add({"B.Example."}, serving({"b.example"})));
    for (const char* name : {"a.example", "A.EXAMPLE", "a.Example."}) {
        CAPTURE(name);
        const Handshake result = shakeWithSNI(map, name);
        REQUIRE(result.ok());
        CHECK(result.client->peerCertificate()->subjectAltNames() == Names{"a.example"});
    }
    CHECK(shown(map, "b.example") == Names{"b.example"});
    CHECK(map.find("a.example..") == nullptr);
}

TEST_CASE("addresses are no server names (SNI)") {
    const ServerNameMap map(
        Entries().add(serving({"a.example", "127.0.0.1", "::1"})).byDefault(serving({"default.example"})));
    CHECK(map.names() == Names{"a.example"});
    const Handshake result = shakeWithSNI(map, "127.0.0.1");  // which no client should send
    REQUIRE(result.ok());
    CHECK(result.client->peerCertificate()->subjectAltNames() == Names{"default.example"});
    CHECK_THROWS_WITH_AS(Entries().add({"127.0.0.1"}, serving({"a.example"})),
                         "'127.0.0.1' cannot be a server name: clients ask for names, never for addresses", ValueError);
    CHECK_THROWS_AS(Entries().add(serving({"127.0.0.1"})), ValueError);
}

TEST_CASE("without a default a client with an unknown name is sent away (SNI)") {
    const ServerNameMap map(Entries().add(serving({"a.example"})));
    for (const TLSVersion version : kVersions) {
        const auto extra = Parameters().lowerMaximumSecurityTo(version);
        const Handshake unknown = shake(asking("b.example", extra), map);
        CHECK(unknown.clientText().find("unrecognized_name: it does not serve the host name") != std::string::npos);
        CHECK(unknown.serverText().find("The client asks for the server name 'b.example', for which there is no "
                                        "certificate here") == 0);
        const Handshake none = shake(asking("", extra), map);
        CHECK_FALSE(none.ok());
        REQUIRE(none.clientFailure.has_value());
        CHECK(none.serverText().find("The client names no server (SNI)") == 0);
        CHECK(shake(asking("a.example", extra), map).ok());
    }
}

TEST_CASE("unknown names can be refused although there is a default (SNI)") {
    const ServerNameMap map(
        Entries().add(serving({"a.example"})).byDefault(serving({"default.example"})).refuseUnknownNames());
    CHECK(shown(map, "") == Names{"default.example"});
    CHECK(shown(map, "a.example") == Names{"a.example"});
    CHECK(shake(asking("b.example"), map).clientText().find("unrecognized_name") != std::string::npos);
    CHECK(map.find("b.example") == nullptr);
}

TEST_CASE("the chain goes with the certificate (SNI)") {
    const PrivateCertificate intermediate =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate leaf = intermediate.issue(someKey(), DistinguishedName{{"CN", "leaf"}}, {"deep.example"});
    const ServerNameMap map(Entries().add(leaf.options()).byDefault(serving({"flat.example"})));
    for (const TLSVersion version : kVersions) {
        const auto extra = Parameters().lowerMaximumSecurityTo(version);
        const Handshake deep = shake(optionsForClientTLS("deep.example", authority(), {}, {}, extra), map);
        CHECK(deep.ok());
        CHECK(sk_X509_num(SSL_get_peer_cert_chain(deep.client->native())) == 2);
        const Handshake flat = shake(optionsForClientTLS("flat.example", authority(), {}, {}, extra), map);
        CHECK(flat.ok());
        CHECK(sk_X509_num(SSL_get_peer_cert_chain(flat.client->native())) == 1);
    }
}

TEST_CASE("whoever verifies clients completes his chain with the authorities that he trusts, by the name (SNI)") {
    const ServerNameMap map(Entries()
                                .add(CertificateOptions(demanding({"a.example"})))
                                .add(serving({"b.example"}))
                                .byDefault(serving({"default.example"})));
    const ServerNameMap demandingFirst(Entries()
                                           .add(CertificateOptions(demanding({"a.example"})))
                                           .add(serving({"b.example"}))
                                           .byDefault(CertificateOptions(demanding({"default.example"}))));
    const auto sent = [](const ContextFactory& server, const std::string& name, TLSVersion version) {
        const Handshake result = shake(optionsForClientTLS(name, authority(), clientCertificate(), {},
                                                           Parameters().lowerMaximumSecurityTo(version)),
                                       server);
        REQUIRE(result.ok());
        return sk_X509_num(SSL_get_peer_cert_chain(result.client->native()));
    };
    for (const TLSVersion version : kVersions) {
        CHECK(sent(CertificateOptions(demanding({"a.example"})), "a.example", version) == 2);
        CHECK(sent(serving({"b.example"}), "b.example", version) == 1);
        CHECK(sent(map, "a.example", version) == 2);
        CHECK(sent(map, "b.example", version) == 1);
        CHECK(sent(demandingFirst, "a.example", version) == 2);
        CHECK(sent(demandingFirst, "b.example", version) == 1);
    }
}

TEST_CASE("what is demanded of clients goes by the name, in both directions (SNI)") {
    const Names strict{"strict.example"};
    const Names open{"open.example"};
    const auto without = [](const std::string& name, TLSVersion version) {
        return optionsForClientTLS(name, authority(), {}, {}, Parameters().lowerMaximumSecurityTo(version));
    };
    const auto with = [](const std::string& name, TLSVersion version) {
        return optionsForClientTLS(name, authority(), clientCertificate(), {},
                                   Parameters().lowerMaximumSecurityTo(version));
    };
    const ServerNameMap strictEntry(
        Entries().add(CertificateOptions(demanding(strict))).add(serving(open)).byDefault(serving(open)));
    const ServerNameMap strictDefault(Entries()
                                          .add(CertificateOptions(demanding(strict)))
                                          .add(serving(open))
                                          .byDefault(CertificateOptions(demanding({"default.example"}))));
    for (const ServerNameMap& map : {strictEntry, strictDefault}) {
        for (const TLSVersion version : kVersions) {
            CHECK(shake(without("open.example", version), map).ok());
            CHECK_FALSE(shake(with("open.example", version), map).server->peerCertificate().has_value());
            const Handshake refused = shake(without("strict.example", version), map);
            CHECK(refused.serverText().find("The peer showed no certificate") == 0);
            const Handshake taken = shake(with("strict.example", version), map);
            CHECK(taken.ok());
            CHECK(taken.server->peerCertificate() == clientCertificate());
        }
    }
    CHECK_FALSE(shake(asking(""), strictDefault).ok());
    CHECK(shake(asking(""), strictEntry).ok());
}

TEST_CASE("each entry trusts its own authorities, and names them to clients (SNI)") {
    const PrivateCertificate other = someKey().selfSignedCert(9, DistinguishedName{{"CN", "Other Authority"}});
    const PrivateCertificate stranger = other.issue(someKey(), DistinguishedName{{"CN", "a client"}});
    const ServerNameMap map(Entries()
                                .add(CertificateOptions(demanding({"a.example"})))
                                .add(CertificateOptions(Parameters(issued({"b.example"})).trustRoot(other)))
                                .byDefault(CertificateOptions(demanding({"default.example"}))));
    for (const TLSVersion version : kVersions) {
        const auto extra = Parameters().lowerMaximumSecurityTo(version);
        const Handshake good = shake(optionsForClientTLS("b.example", authority(), stranger, {}, extra), map);
        CHECK(good.ok());
        const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(good.client->native());
        REQUIRE(sk_X509_NAME_num(names) == 1);
        CHECK(X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(other.native())) == 0);
        CHECK_FALSE(shake(optionsForClientTLS("a.example", authority(), stranger, {}, extra), map).ok());
        CHECK_FALSE(shake(optionsForClientTLS("b.example", authority(), clientCertificate(), {}, extra), map).ok());
    }
}

TEST_CASE("the depth of a client's chain goes by the name (SNI)") {
    const PrivateCertificate intermediate =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    const PrivateCertificate client = intermediate.issue(someKey(), DistinguishedName{{"CN", "a client"}});
    const ServerNameMap map(Entries()
                                .add(CertificateOptions(demanding({"deep.example"})))
                                .add(CertificateOptions(demanding({"shallow.example"}).verifyDepth(0)))
                                .byDefault(CertificateOptions(demanding({"default.example"}).verifyDepth(0))));
    for (const TLSVersion version : kVersions) {
        const auto extra = Parameters().lowerMaximumSecurityTo(version);
        CHECK(shake(optionsForClientTLS("deep.example", authority(), client, {}, extra), map).ok());
        CHECK_FALSE(shake(optionsForClientTLS("shallow.example", authority(), client, {}, extra), map).ok());
        CHECK(shake(optionsForClientTLS("shallow.example", authority(), clientCertificate(), {}, extra), map).ok());
    }
}

TEST_CASE("the application protocols go by the name, unless the connection has its own (SNI, TLS-16)") {
    const ServerNameMap map(
        Entries()
            .add(CertificateOptions(Parameters(issued({"web.example"})).acceptableProtocols({"h2"})))
            .add(serving({"plain.example"}))
            .byDefault(CertificateOptions(Parameters(issued({"default.example"})).acceptableProtocols({"spdy/1"}))));
    for (const TLSVersion version : kVersions) {
        const auto agreed = [&](const std::string& name, const SessionOptions& own) {
            const Names offered{"http/1.1", "h2", "spdy/1"};
            const auto extra = Parameters().lowerMaximumSecurityTo(version);
            const Handshake result = shake(insecureOptionsForClientTLS(name, offered, extra), map, {}, own);
            REQUIRE(result.ok());
            CHECK(result.client->negotiatedProtocol() == result.server->negotiatedProtocol());
            return result.server->negotiatedProtocol().value_or("none");
        };
        CHECK(agreed("web.example", {}) == "h2");
        CHECK(agreed("plain.example", {}) == "none");
        CHECK(agreed("other.example", {}) == "spdy/1");
        CHECK(agreed("web.example", SessionOptions{{"http/1.1"}}) == "http/1.1");
        CHECK(agreed("plain.example", SessionOptions{{"http/1.1"}}) == "http/1.1");
    }
}

TEST_CASE("versions and ciphers go by the name, whatever the default speaks (SNI)") {
    const AcceptableCiphers chacha =
        AcceptableCiphers::fromOpenSSLCipherString("ECDHE-ECDSA-CHACHA20-POLY1305:TLS_CHACHA20_POLY1305_SHA256");
    const auto only = [](const Names& names, TLSVersion version) {
        return CertificateOptions(Parameters(issued(names)).raiseMinimumTo(version).lowerMaximumSecurityTo(version));
    };
    for (const TLSVersion front : kVersions) {
        const ServerNameMap map(
            Entries()
                .add(only({"old.example"}, TLSVersion::TLSv1_2))
                .add(only({"new.example"}, TLSVersion::TLSv1_3))
                .add(CertificateOptions(Parameters(issued({"cc.example"})).acceptableCiphers(chacha)))
                .byDefault(only({"default.example"}, front)));
        CHECK(shake(asking("old.example"), map).server->version() == "TLSv1.2");
        CHECK(shake(asking("new.example"), map).server->version() == "TLSv1.3");
        const auto old = Parameters().lowerMaximumSecurityTo(TLSVersion::TLSv1_2);
        CHECK_FALSE(shake(asking("new.example", old), map).ok());
        CHECK(shake(asking("cc.example", old), map).server->cipher() == "ECDHE-ECDSA-CHACHA20-POLY1305");
        CHECK(shake(asking("cc.example"), map).server->cipher() == "TLS_CHACHA20_POLY1305_SHA256");
    }
}

TEST_CASE("a malformed server name is refused by OpenSSL, and an overlong one too (SNI, TLS-19)") {
    const ServerNameMap map(Entries().add(serving({"a.example"})).byDefault(serving({"default.example"})));
    CHECK(shakeWithSNI(map, std::string(255, 'a')).ok());  // the longest that OpenSSL sends
    CHECK(map.find(std::string(100000, '.')) == map.find(""));
    CHECK(map.find(".") == map.find(""));
    CHECK(map.find(std::string("a.example\0", 10)) == map.find(""));
}

TEST_CASE("entries with the same name, without one, or without a certificate are refused (SNI)") {
    CHECK_THROWS_WITH_AS(Entries().add(serving({"a.example"})).add({"A.example."}, serving({"b.example"})),
                         "The server name 'a.example' has an entry already", ValueError);
    CHECK_THROWS_AS(Entries().add(std::vector<std::string>{}, serving({"a.example"})), ValueError);
    CHECK_THROWS_AS(Entries().add({"a..example"}, serving({"a.example"})), ValueError);
    CHECK_THROWS_AS(Entries().add({"*"}, serving({"a.example"})), ValueError);
    CHECK_THROWS_AS(Entries().add({"a.*.example"}, serving({"a.example"})), ValueError);
    CHECK_THROWS_AS(Entries().add(serving({})), ValueError);
    CHECK_THROWS_WITH_AS(ServerNameMap{Entries()}, "A ServerNameMap needs at least one entry, or a default",
                         ValueError);
    const CertificateOptions nobody{Parameters()};
    CHECK_THROWS_AS(ServerNameMap(Entries().byDefault(nobody)), TypeError);
    CHECK_THROWS_AS(ServerNameMap(Entries().add({"a.example"}, nobody)), TypeError);
    CHECK_THROWS_AS(Entries().add(nobody), TypeError);
    CHECK_THROWS_AS(ServerNameMap(Entries()
                                      .add(CertificateOptions(Parameters(issued({"a.example"})).enableSessions(true)))
                                      .byDefault(serving({"b.example"}))),
                    ValueError);
}

TEST_CASE("a map of server names serves no client, and has the timeouts of its default (SNI)") {
    using namespace std::chrono_literals;
    const CertificateOptions first(
        Parameters(issued({"a.example"})).handshakeTimeout(std::chrono::seconds(5)).closeTimeout(1s));
    const CertificateOptions second(Parameters(issued({"b.example"})).handshakeTimeout(7s).closeTimeout(2s));
    const ServerNameMap map(Entries().add(first).byDefault(second));
    CHECK(map.handshakeTimeout() == 7s);
    CHECK(map.closeTimeout() == 2s);
    CHECK(ServerNameMap(Entries().add(first)).handshakeTimeout() == 5s);
    CHECK_THROWS_AS(map.newSession(Role::client, {}), TypeError);
}

TEST_CASE("a connection outlives the map that it was made with (SNI)") {
    std::unique_ptr<Session> unused;
    {
        const ServerNameMap map(Entries().add(serving({"a.example"})));
        unused = map.newSession(Role::server, {});
    }
    CHECK(unused->role() == Role::server);
    TLSPair pair;
    pair.serve(ServerNameMap(Entries().add(serving({"a.example"})).add(serving({"b.example"}))));
    pair.connectWith(optionsForClientTLS("b.example", authority()));
    pair.up();
    pair.serverOptions = nullptr;
    pair.inTurn([&] { pair.client->transport().write("hello"); });
    pair.flush();
    CHECK(pair.server->received == "hello");
}

TEST_CASE("a session of one server name is never resumed under another entry's (SNI)") {
    enum class By { tickets, ticketsOfSharedKeys, cache };
    for (const By by : {By::tickets, By::ticketsOfSharedKeys, By::cache}) {
        const TicketKeys keys;
        for (const TLSVersion version : kVersions) {
            const auto parameters = [&](Parameters base) {
                if (by == By::ticketsOfSharedKeys) base.ticketKeys(keys);
                return CertificateOptions(base.enableSessionTickets(by != By::cache).enableSessions(by == By::cache));
            };
            const ServerNameMap map(Entries()
                                        .add(parameters(Parameters(issued({"open.example"}))))
                                        .add(parameters(demanding({"strict.example"})))
                                        .byDefault(parameters(Parameters(issued({"default.example"})))));
            // One client context, so that a session can go from one connection to the next.
            const auto client = [&](const std::string& name, SSL_SESSION* resumed) {
                struct Resuming final : ContextFactory {
                    Resuming(InsecureClientOptions o, SSL_SESSION* s) : base(std::move(o)), session(s) {}
                    std::shared_ptr<const ContextFactory> share() const override {
                        return std::make_shared<Resuming>(*this);
                    }
                    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override {
                        auto made = base.newSession(role, options);
                        SSL_clear_options(made->native(), SSL_OP_NO_TICKET);
                        if (session != nullptr) SSL_set_session(made->native(), session);
                        return made;
                    }
                    Duration handshakeTimeout() const override { return base.handshakeTimeout(); }
                    Duration closeTimeout() const override { return base.closeTimeout(); }
                    InsecureClientOptions base;
                    SSL_SESSION* session;
                };
                return shake(Resuming(asking(name, Parameters().lowerMaximumSecurityTo(version)), resumed), map);
            };
            const Handshake first = client("open.example", nullptr);
            REQUIRE(first.ok());
            const std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>> session(
                SSL_get1_session(first.client->native()));
            REQUIRE(SSL_SESSION_is_resumable(session.get()) == 1);
            CAPTURE(static_cast<int>(by));
            CAPTURE(static_cast<int>(version));

            const Handshake strict = client("strict.example", session.get());
            CHECK_FALSE(strict.ok());  // it has no certificate, and does not come in without one
            CHECK(strict.serverText().find("The peer showed no certificate") == 0);
            const Handshake other = client("default.example", session.get());
            CHECK(other.ok());
            CHECK(SSL_session_reused(other.server->native()) == 0);
            const Handshake again = client("open.example", session.get());
            CHECK(again.ok());
            CHECK(SSL_session_reused(again.server->native()) == 1);
        }
    }
}
