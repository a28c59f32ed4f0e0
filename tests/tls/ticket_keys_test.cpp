#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/resumption_fixture.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using namespace std::chrono_literals;

namespace {

Bytes material(char filling) { return Bytes(TicketKeys::kKeySize, filling); }

/// Keys on a clock that the test sets.
struct ClockedKeys {
    ClockedKeys() {
        keys.setRotationInterval(10s);
        keys.setKeyLifetime(20s);
    }
    Duration now = 1000s;
    TicketKeys keys{[this] { return now; }};
};

}  // namespace

TEST_CASE("a ticket key is replaced by age, and opens tickets for its lifetime after that (RFC 5077, 5.5)") {
    ClockedKeys clocked;
    CHECK(clocked.keys.size() == 1);
    clocked.now += 10s - 1ns;
    CHECK(clocked.keys.size() == 1);
    clocked.now += 1ns;
    CHECK(clocked.keys.size() == 2);
    clocked.now += 10s;
    CHECK(clocked.keys.size() == 3);
    clocked.now += 10s - 1ns;
    CHECK(clocked.keys.size() == 3);
    clocked.now += 1ns;  // the first one goes, a fourth one comes
    CHECK(clocked.keys.size() == 3);
    clocked.now += 1000s;  // nobody came for long: the last one stopped sealing when it was due
    CHECK(clocked.keys.size() == 1);
}

TEST_CASE("a client whose ticket's key was replaced resumes and gets a new ticket, until the key's end (RFC 5077)") {
    for (const TLSVersion version : kVersions) {
        CAPTURE(versionName(version));
        ClockedKeys clocked;
        const CertificateOptions options(server(version).ticketKeys(clocked.keys).numTickets(1));
        const auto client = resumingClient(Parameters().sessionCacheSize(1));
        CHECK_FALSE(resumes(client, options));
        for (int generation = 0; generation < 5; ++generation) {
            clocked.now += 12s;
            CHECK(resumes(client, options));
        }
        clocked.now += 30s;
        CHECK_FALSE(resumes(client, options));
        CHECK(resumes(client, options));
    }
}

TEST_CASE("ticket keys are rotated by hand, up to a bound (RFC 5077, 5.5)") {
    for (const TLSVersion version : kVersions) {
        TicketKeys keys;
        keys.setRotationInterval(Duration::max());
        const CertificateOptions options(server(version).ticketKeys(keys).numTickets(1));
        const auto client = resumingClient();
        CHECK_FALSE(resumes(client, options));
        keys.rotate();
        CHECK(keys.size() == 2);
        CHECK(resumes(client, options));
        keys.setKeyLifetime(0s);
        keys.rotate();
        CHECK(keys.size() == 1);
        CHECK_FALSE(resumes(client, options));
        keys.setKeyLifetime(Duration::max());
        for (std::size_t count = 2; count <= TicketKeys::kMostKeys; ++count) {
            keys.rotate();
            CHECK(keys.size() == count);
        }
        CHECK(resumes(client, options));  // the oldest key still counts
        keys.rotate();
        CHECK(keys.size() == TicketKeys::kMostKeys);
    }
}

TEST_CASE(
    "recipes with the same ticket keys accept each other's tickets, as those of several processes do (RFC 5077)") {
    for (const TLSVersion version : kVersions) {
        const auto make = [&](const TicketKeys& keys) {
            return CertificateOptions(server(version).ticketKeys(keys).numTickets(1));
        };
        const CertificateOptions one = make(TicketKeys::fromMaterial({material('a'), material('b')}));
        TicketKeys others = TicketKeys::fromMaterial({material('c'), material('a')});
        const CertificateOptions other = make(others);
        const CertificateOptions stranger = make(TicketKeys::fromMaterial({material('d')}));
        const auto client = resumingClient(Parameters().sessionCacheSize(1));
        CHECK_FALSE(resumes(client, one));
        CHECK(resumes(client, other));
        CHECK_FALSE(resumes(client, stranger));
        CHECK_FALSE(resumes(client, one));
        others.setKeys({material('c')});
        CHECK_FALSE(resumes(client, other));
        CHECK(resumes(client, other));
    }
}

TEST_CASE("keys that the caller gives are checked, and only the caller replaces them (RFC 5077)") {
    std::vector<Bytes> many;
    for (std::size_t i = 0; i < TicketKeys::kMostKeys; ++i) many.push_back(material(static_cast<char>('a' + i)));
    TicketKeys keys = TicketKeys::fromMaterial(many);
    CHECK(keys.size() == TicketKeys::kMostKeys);
    many.push_back(material('z'));
    CHECK_THROWS_AS(keys.setKeys(many), ValueError);
    CHECK_THROWS_AS(keys.setKeys({}), ValueError);
    CHECK_THROWS_AS(keys.setKeys({Bytes(TicketKeys::kKeySize - 1, 'a')}), ValueError);
    CHECK_THROWS_AS(keys.setKeys({Bytes(TicketKeys::kKeySize + 1, 'a')}), ValueError);
    CHECK_THROWS_AS(keys.setKeys({material('a'), material('a')}), ValueError);
    CHECK(keys.size() == TicketKeys::kMostKeys);
    CHECK_THROWS_AS(keys.rotate(), RuntimeError);
    CHECK_THROWS_AS(keys.setRotationInterval(0s), ValueError);
    CHECK_THROWS_AS(keys.setKeyLifetime(-1ns), ValueError);
}

TEST_CASE("shared ticket keys get nobody round a stricter recipe's demand for a certificate") {
    for (const TLSVersion version : kVersions) {
        const TicketKeys keys;
        const CertificateOptions lax(server(version).ticketKeys(keys));
        const CertificateOptions strict(server(version).ticketKeys(keys).trustRoot(authority()));
        const CertificateOptions alike(server(version).ticketKeys(keys).trustRoot(authority()));
        const CertificateOptions deeper(server(version).ticketKeys(keys).trustRoot(authority()).verifyDepth(1));
        const CertificateOptions otherRoot(server(version).ticketKeys(keys).trustRoot(exampleCertificate()));
        const auto nobody = resumingClient();
        CHECK_FALSE(resumes(nobody, lax));
        CHECK(resumes(nobody, lax));
        CHECK_FALSE(Connection(nobody, strict).handshake.ok());

        const PrivateCertificate own = issued({"client.example"});
        const auto somebody =
            optionsForClientTLS("example.com", exampleCertificate(), own, {}, Parameters().enableSessions(true));
        CHECK_FALSE(resumes(somebody, strict));
        const Connection again(somebody, alike);
        CHECK(again.resumed());
        CHECK(again.handshake.server->peerCertificate() == own);
        CHECK_FALSE(Connection(somebody, otherRoot).handshake.ok());
        CHECK_FALSE(resumes(somebody, deeper));
    }
}

TEST_CASE("several threads may use and rotate the same ticket keys (RFC 5077)") {
    TicketKeys keys;
    const CertificateOptions options(server().ticketKeys(keys));
    const auto client = resumingClient();
    constexpr int kThreads = 4, kRounds = 20;
    std::vector<std::thread> threads;
    std::vector<int> good(kThreads, 0);
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int round = 0; round < kRounds; ++round) {
                if (thread == 0) keys.rotate();
                good[thread] += Connection(client, options).handshake.ok() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int count : good) CHECK(count == kRounds);
}
