#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tests/tls/resumption_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tls/server_name_map.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::goodClient;
using torsion::test::OnionPair;
using torsion::test::TLSPair;

namespace {

SessionPointer sessionOf(int version, unsigned char id, std::time_t made, long timeout = 100) {
    SessionPointer session(SSL_SESSION_new());
    SSL_SESSION_set_protocol_version(session.get(), version);
    SSL_SESSION_set1_id(session.get(), &id, 1);  // without one it is nothing to resume
    SSL_SESSION_set_time(session.get(), static_cast<long>(made));
    SSL_SESSION_set_timeout(session.get(), timeout);
    return session;
}

unsigned char idOf(const SessionPointer& session) {
    unsigned size = 0;
    const unsigned char* id = SSL_SESSION_get_id(session.get(), &size);
    return size == 1 ? *id : 0;
}

}  // namespace

TEST_CASE("a session is resumed if both ends allow it, by id and by ticket, and not by default") {
    for (const TLSVersion version : kVersions) {
        for (const bool ids : {false, true}) {
            for (const bool tickets : {false, true}) {
                CAPTURE(versionName(version));
                CAPTURE(ids);
                CAPTURE(tickets);
                const CertificateOptions options(server(version).enableSessions(ids).enableSessionTickets(tickets));
                const auto client = resumingClient();
                CHECK_FALSE(resumes(client, options));
                CHECK(resumes(client, options) == (ids || tickets));
                CHECK(resumes(client, options) == (ids || tickets));
                const auto other = goodClient();
                CHECK_FALSE(resumes(other, options));
                CHECK_FALSE(resumes(other, options));
            }
        }
    }
}

TEST_CASE("either switch turns a client's cache on, and copies of a recipe share it") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(server(version).enableSessions(true).enableSessionTickets(true));
        const auto client = optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {},
                                                Parameters().enableSessionTickets(true));
        const auto copy = client;
        CHECK_FALSE(resumes(client, options));
        CHECK(resumes(*copy.share(), options));
    }
}

TEST_CASE("a resumed session still says who the peer is, that it was verified, and what was agreed on") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(
            server(version).enableSessionTickets(true).trustRoot(authority()).acceptableProtocols({"h2"}));
        const PrivateCertificate own = issued({"client.example"});
        const auto client =
            optionsForClientTLS("example.com", exampleCertificate(), own, {"h2"}, Parameters().enableSessions(true));
        CHECK_FALSE(resumes(client, options));
        const Connection second(client, options);
        REQUIRE(second.resumed());
        const Handshake& both = second.handshake;
        CHECK(both.client->peerCertificate() == exampleCertificate());
        CHECK(both.server->peerCertificate() == own);
        CHECK(SSL_get_verify_result(both.client->native()) == X509_V_OK);
        CHECK(SSL_get_verify_result(both.server->native()) == X509_V_OK);
        CHECK(both.client->negotiatedProtocol() == "h2");
        CHECK(both.client->version() == versionName(version));
    }
}

TEST_CASE("a session stays with its recipe: none crosses host names, trust roots or client certificates") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(server(version).enableSessionTickets(true));
        CHECK_FALSE(resumes(resumingClient(), options));
        CHECK_FALSE(resumes(resumingClient(), options));
        const Connection otherName(optionsForClientTLS("example.org", exampleCertificate(), std::nullopt, {},
                                                       Parameters().enableSessions(true)),
                                   options);
        CHECK(otherName.handshake.clientFailure->check<VerificationError>());
        CHECK(otherName.kept() == 0);
        const auto distrusting =
            optionsForClientTLS("example.com", authority(), std::nullopt, {}, Parameters().enableSessions(true));
        for (int attempt = 0; attempt < 2; ++attempt) {
            const Connection refused(distrusting, options);
            CHECK(refused.handshake.clientFailure->check<CertificateVerifyError>());
            CHECK(refused.kept() == 0);
        }
    }
}

TEST_CASE("another application protocol than the session's is no obstacle (TLS-16)") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(
            server(version).enableSessionTickets(true).acceptableProtocols({"h2", "http/1.1"}));
        const auto client = resumingClient();
        const auto agreed = [&](std::vector<std::string> protocols) {
            SessionOptions own;
            own.acceptableProtocols = std::move(protocols);
            const Connection connection(client, options, own);
            REQUIRE(connection.handshake.ok());
            CHECK(connection.handshake.client->negotiatedProtocol() ==
                  connection.handshake.server->negotiatedProtocol());
            return connection.handshake.client->negotiatedProtocol().value_or("none");
        };
        CHECK(agreed({"h2"}) == "h2");
        CHECK(agreed({"http/1.1"}) == "http/1.1");
        CHECK(agreed({}) == "none");
        CHECK(agreed({"h2"}) == "h2");
    }
}

TEST_CASE("a handshake in TLS 1.3 brings as many tickets as set, and each serves once (RFC 8446, C.4)") {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, kMostTickets}) {
        CAPTURE(count);
        for (const bool ids : {true, false}) {
            CAPTURE(ids);
            const CertificateOptions options(server().enableSessions(ids).enableSessionTickets(!ids).numTickets(count));
            const auto client = resumingClient();
            const Connection first(client, options);
            CHECK_FALSE(first.resumed());
            CHECK(first.kept() == count);
            const Connection second(client, options);
            CHECK(second.resumed() == (count > 0));
            CHECK(second.kept() == count);  // one went, one came
        }
    }
    CHECK_THROWS_AS(server().numTickets(kMostTickets + 1), ValueError);
    const CertificateOptions standard(server().enableSessionTickets(true));
    CHECK(Connection(resumingClient(), standard).kept() == kDefaultNumTickets);
}

TEST_CASE("a client keeps as many sessions as set; the oldest go") {
    const CertificateOptions options(server().enableSessionTickets(true).numTickets(4));
    CHECK(Connection(resumingClient(Parameters().sessionCacheSize(3)), options).kept() == 3);
    CHECK(Connection(resumingClient(Parameters().sessionCacheSize(4)), options).kept() == 4);
    CHECK(Connection(resumingClient(Parameters().sessionCacheSize(5)), options).kept() == 4);

    SessionCache cache(2, [] { return std::time_t{0}; });
    cache.keep(sessionOf(TLS1_2_VERSION, 1, 0));
    CHECK(cache.size() == 1);
    cache.keep(sessionOf(TLS1_2_VERSION, 2, 0));
    CHECK(cache.size() == 2);
    cache.keep(sessionOf(TLS1_2_VERSION, 3, 0));
    CHECK(cache.size() == 2);
    CHECK(idOf(cache.take()) == 3);
    CHECK_THROWS_AS(Parameters().sessionCacheSize(0), ValueError);
    CHECK_NOTHROW(Parameters().sessionCacheSize(kMostSessions));
    CHECK_THROWS_AS(Parameters().sessionCacheSize(kMostSessions + 1), ValueError);
}

TEST_CASE("a client takes the newest session: one of TLS 1.2 again and again, one of TLS 1.3 once (RFC 8446, C.4)") {
    SessionCache cache(4, [] { return std::time_t{0}; });
    CHECK(cache.take() == nullptr);
    cache.keep(sessionOf(TLS1_2_VERSION, 1, 0));
    cache.keep(sessionOf(TLS1_3_VERSION, 2, 0));
    cache.keep(sessionOf(TLS1_3_VERSION, 3, 0));
    CHECK(idOf(cache.take()) == 3);
    CHECK(idOf(cache.take()) == 2);
    CHECK(idOf(cache.take()) == 1);
    const SessionPointer again = cache.take();
    CHECK(idOf(again) == 1);
    SSL_SESSION_up_ref(again.get());
    cache.keep(SessionPointer(again.get()));
    CHECK(cache.size() == 1);
}

TEST_CASE("an expired session is dropped: by the time set here, and by the server's word (RFC 8446, 4.6.1)") {
    std::time_t now = 1000;
    SessionCache cache(4, [&] { return now; });
    cache.keep(sessionOf(TLS1_2_VERSION, 1, 1000, 10));
    cache.keep(sessionOf(TLS1_2_VERSION, 2, 1000, 9));
    now = 1008;
    CHECK(idOf(cache.take()) == 2);
    now = 1009;
    CHECK(idOf(cache.take()) == 1);
    CHECK(cache.size() == 1);
    now = 1010;
    CHECK(cache.take() == nullptr);
    CHECK(cache.size() == 0);

    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(
            server(version).enableSessionTickets(true).sessionTimeout(std::chrono::seconds(30)));
        const Connection connection(resumingClient(), options);
        SSL_SESSION* session = SSL_get0_session(connection.handshake.client->native());
        CHECK(SSL_SESSION_get_timeout(session) > 30);
        SSL_SESSION_up_ref(session);
        cache.keep(SessionPointer(session));
        now = static_cast<std::time_t>(SSL_SESSION_get_time(session)) + 30;
        CHECK(cache.take() == nullptr);
    }
    CHECK_THROWS_AS(server().sessionTimeout(std::chrono::milliseconds(999)), ValueError);
    CHECK_NOTHROW(server().sessionTimeout(std::chrono::seconds(1)));
    CHECK_NOTHROW(server().sessionTimeout(kLongestSessionTimeout));
    CHECK_THROWS_AS(server().sessionTimeout(kLongestSessionTimeout + Duration(1)), ValueError);
}

TEST_CASE("a client that comes back often is verified again all the same: the time of the full handshake counts") {
    for (const bool cached : {false, true}) {
        for (const bool expired : {false, true}) {
            CAPTURE(cached);
            CAPTURE(expired);
            const Duration limit = std::chrono::seconds(expired ? 900 : 1100);
            const CertificateOptions options(
                server().enableSessions(cached).enableSessionTickets(!cached).sessionTimeout(limit));
            const auto client = resumingClient();
            Handshake first = shake(client, options);
            REQUIRE(first.ok());
            // As if the full handshake behind this one had been a while ago.
            SSL* const native = first.server->native();
            const std::int64_t then = std::time(nullptr) - 1000;
            REQUIRE(SSL_SESSION_set1_ticket_appdata(SSL_get_session(native), &then, sizeof then) == 1);
            REQUIRE(SSL_new_session_ticket(native) == 1);
            REQUIRE(SSL_do_handshake(native) == 1);
            advance(*first.client, first.clientDone, first.clientFailure);
            SSL_shutdown(first.client->native());
            SSL_shutdown(native);
            CHECK(resumes(client, options) == !expired);
        }
    }
}

TEST_CASE("a server that is often resumed is verified again all the same: the time of the full handshake counts") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(server(version).enableSessionTickets(true));
        const auto client = resumingClient();
        const Connection first(client, options);
        SessionCache& cache = *ContextState::find(SSL_get_SSL_CTX(first.handshake.client->native()))->sessions;
        const long then = SSL_SESSION_get_time(SSL_get0_session(first.handshake.client->native())) - 1000;
        std::vector<SessionPointer> none;
        while (SessionPointer session = cache.take()) {  // of TLS 1.2 it gives the same one again
            none.push_back(std::move(session));
            if (version == TLSVersion::TLSv1_2) break;
        }
        SSL_SESSION_set_time(none.front().get(), then);
        cache.keep(std::move(none.front()));
        const Connection second(client, options);
        CHECK(second.resumed());
        const SessionPointer next = cache.take();
        REQUIRE(next);
        CHECK(SSL_SESSION_get_time(next.get()) == then);
    }
}

TEST_CASE("a server's cache holds as many sessions as set") {
    for (const TLSVersion version : kVersions) {
        const CertificateOptions options(server(version).enableSessions(true).numTickets(1).sessionCacheSize(2));
        const auto first = resumingClient();
        const auto second = resumingClient();
        const auto third = resumingClient();
        for (const auto* client : {&first, &second, &third}) CHECK_FALSE(resumes(*client, options));
        CHECK(resumes(third, options));
        CHECK_FALSE(resumes(first, options));
    }
}

TEST_CASE("what is a server's is refused in a client's recipe") {
    CHECK_THROWS_AS(resumingClient(Parameters().ticketKeys(TicketKeys())), TypeError);
    CHECK_THROWS_AS(resumingClient(Parameters().numTickets(1)), TypeError);
}

TEST_CASE("a name's recipe seals with its own keys, and no session leads to a stricter name (TLS-18)") {
    for (const TLSVersion version : kVersions) {
        CAPTURE(versionName(version));
        const TicketKeys keys;
        const CertificateOptions plain(server(version));
        const CertificateOptions lax(server(version).ticketKeys(keys));
        const CertificateOptions strict(server(version).ticketKeys(keys).trustRoot(authority()));
        ServerNameMap::Entries entries;
        entries.byDefault(plain).add({"lax.example"}, lax).add({"strict.example"}, strict);
        const ServerNameMap map(entries);
        const auto client = insecureOptionsForClientTLS("lax.example", {}, Parameters().enableSessions(true));
        CHECK_FALSE(resumes(client, map));
        CHECK(resumes(client, map));
        CHECK(resumes(client, lax));  // so the keys were that recipe's

        const Connection first(client, map);
        SSL_SESSION* session = SSL_get0_session(first.handshake.client->native());
        const auto intruder = insecureOptionsForClientTLS("strict.example");
        Handshake both;
        both.client = intruder.newSession(Role::client, {});
        both.server = map.newSession(Role::server, {});
        SSL_set_session(both.client->native(), session);
        finish(both);
        CHECK_FALSE(both.ok());
        CHECK(both.serverFailure.has_value());
    }
}

TEST_CASE("the application is told of a resumed session, and not before the handshake is done") {
    for (const TLSVersion version : kVersions) {
        const auto options =
            CertificateOptions(torsion::test::serverParameters(version).enableSessionTickets(true)).share();
        const auto client = resumingClient().share();
        for (const bool second : {false, true, true, true}) {
            TLSPair pair;
            pair.serve(*options);
            pair.connectWith(*client);
            pair.client->onMade = [&] { CHECK_FALSE(pair.client->ssl().sessionReused()); };
            pair.client->onHandshake = [&] { CHECK(pair.client->ssl().sessionReused() == second); };
            pair.server->onHandshake = [&] { CHECK(pair.server->ssl().sessionReused() == second); };
            pair.up();
            REQUIRE(pair.client->ssl().getPeerCertificate());
            CHECK(*pair.client->ssl().getPeerCertificate() == exampleCertificate());
            pair.client->transport().loseConnection();
            pair.flush();
            CHECK(pair.client->why() == "ConnectionDone");
            CHECK(pair.server->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("a connection that never began leaves its ticket to the next one (RFC 8446, C.4)") {
    const CertificateOptions options(server().enableSessionTickets(true).numTickets(1));
    const auto client = resumingClient();
    CHECK_FALSE(resumes(client, options));
    for (int i = 0; i < 3; ++i) CHECK(client.newSession(Role::client, {}) != nullptr);
    CHECK(resumes(client, options));
}

TEST_CASE("a connection that is aborted does not spoil the next one") {
    for (const TLSVersion version : kVersions) {
        const auto options = CertificateOptions(torsion::test::serverParameters(version).enableSessions(true)).share();
        const auto client = resumingClient().share();
        for (int attempt = 0; attempt < 3; ++attempt) {
            TLSPair pair;
            pair.serve(*options);
            pair.connectWith(*client);
            pair.up();
            pair.client->transport().abortConnection();
            pair.flush();
        }
    }
}

TEST_CASE("layers of an onion resume, too, and come off with their tickets unread (TLS-23)") {
    for (const TLSVersion version : kVersions) {
        CAPTURE(versionName(version));
        CertificateOptions serverOptions(server(version).enableSessionTickets(true).numTickets(3));
        auto clientOptions = resumingClient();
        for (const bool serverPops : {true, false}) {
            OnionPair pair(version);
            pair.serverOptions = serverOptions;
            pair.clientOptions = clientOptions;
            bool reused = false;
            for (int layer = 0; layer < 3; ++layer) {
                // Pops as soon as this end is up: the tickets are behind the handshake, and perhaps behind the close.
                Deferred<void> serverUp = pair.server->onion().startTLS(pair.serverOptions, Role::server);
                Deferred<void> clientUp = pair.client->onion().startTLS(pair.clientOptions, Role::client);
                auto& popper = serverPops ? *pair.server : *pair.client;
                (serverPops ? serverUp : clientUp).addCallback([&] {
                    reused = popper.transport().as<SSLTransport>().sessionReused();
                    popper.follow("pop", popper.onion().stopTLS());
                });
                pair.pump.flush();
                CHECK(popper.wrote("pop done"));
                CHECK(pair.client->onion().depth() == 0);
                CHECK(pair.server->onion().depth() == 0);
                CHECK_FALSE(pair.client->lost);
                CHECK_FALSE(pair.server->lost);
                pair.client->transport().write("in the clear");
                pair.pump.flush();
                CHECK(pair.server->last() == "data in the clear");
                pair.server->diary.push_back("-");
            }
            CHECK(reused);
        }
    }
}
