#include <doctest/doctest.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509err.h>

#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tls/alpn.hpp>
#include <torsion/tls/verification.hpp>

using namespace torsion;
using namespace torsion::test;
using Outcome = ssl::Engine::Outcome;

namespace {

/// An engine and the ciphertext that it made.
struct Side : ssl::Engine::Output {
    Side(const ssl::ContextFactory& options, ssl::Role role) : engine(options.newSession(role, {}), *this) {}
    void ciphertext(BytesView data) override {
        CHECK(engine.busy());
        out.append(data);
    }
    Bytes take() { return std::exchange(out, Bytes()); }
    Bytes out;
    ssl::Engine engine;
};

struct Pair {
    explicit Pair(ssl::TLSVersion highest = ssl::TLSVersion::TLSv1_3)
        : client(goodClient(), ssl::Role::client),
          server(ssl::CertificateOptions(serverParameters(highest)), ssl::Role::server) {}

    /// Both handshakes, with the octets cut to @p step at a time.
    void shake(std::size_t step = Bytes::npos) {
        Outcome clientOutcome = client.engine.handshake(), serverOutcome = Outcome::wantsInput;
        for (int i = 0; i < 10 && (clientOutcome != Outcome::ok || serverOutcome != Outcome::ok); ++i) {
            serverOutcome = feed(server, client.take(), step, serverOutcome);
            clientOutcome = feed(client, server.take(), step, clientOutcome);
        }
        REQUIRE(clientOutcome == Outcome::ok);
        REQUIRE(serverOutcome == Outcome::ok);
    }

    static Outcome feed(Side& side, const Bytes& data, std::size_t step, Outcome outcome) {
        for (std::size_t at = 0; at < data.size() && outcome == Outcome::wantsInput; at += step) {
            side.engine.feed(BytesView(data).substr(at, step));
            outcome = side.engine.handshake();
            CHECK(side.engine.unread().empty());
            if (step == Bytes::npos) break;
        }
        side.engine.release();
        return outcome;
    }

    Side client, server;
};

/// Reads all that @p input holds. @return what ended it
Outcome readAll(Side& side, BytesView input, Bytes& into, std::size_t room = 20000) {
    side.engine.feed(input);
    Bytes block(room, '\0');
    for (;;) {
        std::size_t got = 0;
        const Outcome outcome = side.engine.read(std::span<char>(block.data(), block.size()), got);
        if (outcome != Outcome::ok) return outcome;
        into.append(block.data(), got);
    }
}

}  // namespace

TEST_CASE("an engine shakes hands in either version, however the octets are cut") {
    for (const auto version : kVersions) {
        for (const std::size_t step : {std::size_t(1), std::size_t(7), Bytes::npos}) {
            Pair pair(version);
            pair.shake(step);
            CHECK(pair.client.engine.session().version() ==
                  (version == ssl::TLSVersion::TLSv1_3 ? "TLSv1.3" : "TLSv1.2"));
            CHECK(!pair.client.engine.busy());
        }
    }
}

TEST_CASE("an engine cuts what is written into records of up to 16384 octets (TLS-3)") {
    for (const auto version : kVersions) {
        Pair pair(version);
        pair.shake();
        pair.client.take();
        const Bytes sent = distinctOctets(100000);
        CHECK(pair.client.engine.write(sent) == Outcome::ok);
        RecordLog records;
        records.see(pair.client.out);
        CHECK(records.types.size() == 7);
        CHECK(records.count(RecordLog::kApplicationData) == 7);
        Bytes got;
        CHECK(readAll(pair.server, pair.client.take(), got) == Outcome::wantsInput);
        CHECK(got == sent);
    }
}

TEST_CASE("an engine gives a record in pieces if there is little room, also when its octets are used up") {
    Pair pair;
    pair.shake();
    pair.client.take();
    const Bytes sent = distinctOctets(16384);
    pair.client.engine.write(sent);
    Bytes got;
    CHECK(readAll(pair.server, pair.client.take(), got, 1000) == Outcome::wantsInput);
    CHECK(got == sent);
}

TEST_CASE("an engine keeps half a record, and lends no view beyond release") {
    Pair pair;
    pair.shake();
    pair.client.take();
    pair.client.engine.write("in two halves");
    const Bytes wire = pair.client.take();
    Bytes got;
    for (const char octet : wire) {
        // A fresh place each time, gone after the call: what the engine kept a view of would be caught by a sanitizer.
        auto one = std::make_unique<char>(octet);
        CHECK(readAll(pair.server, BytesView(one.get(), 1), got) == Outcome::wantsInput);
        pair.server.engine.release();
    }
    CHECK(got == "in two halves");
}

TEST_CASE("what stands behind a close_notify stays unread (TLS-23)") {
    for (const auto version : kVersions) {
        Pair pair(version);
        pair.shake();
        pair.client.take();
        pair.client.engine.write("last words");
        CHECK(pair.client.engine.shutdown() == Outcome::ok);
        const Bytes wire = pair.client.take() + "in the clear";
        Bytes got;
        CHECK(readAll(pair.server, wire, got) == Outcome::closed);
        CHECK(got == "last words");
        CHECK(pair.server.engine.unread() == "in the clear");
        // Reading has ended, writing has not.
        pair.server.engine.release();
        CHECK(pair.server.engine.write("an answer") == Outcome::ok);
        CHECK(pair.server.engine.shutdown() == Outcome::ok);
        got.clear();
        CHECK(readAll(pair.client, pair.server.take(), got) == Outcome::closed);
        CHECK(got == "an answer");
    }
}

TEST_CASE("a record that was changed on the way breaks the engine, with an alert for the peer (TLS-11)") {
    for (const auto version : kVersions) {
        Pair pair(version);
        pair.shake();
        pair.client.take();
        pair.server.take();
        pair.client.engine.write("soon spoiled");
        Bytes wire = pair.client.take();
        wire.back() = static_cast<char>(wire.back() ^ 1);
        Bytes got;
        CHECK(readAll(pair.server, wire, got) == Outcome::failed);
        CHECK(got.empty());
        CHECK(pair.server.engine.failure().check<ssl::Error>());
        CHECK(readAll(pair.client, pair.server.take(), got) == Outcome::failed);
        const auto* error = pair.client.engine.failure().value<ssl::Error>();
        REQUIRE(error != nullptr);
        CHECK(error->alert() == 20);  // bad_record_mac
    }
}

TEST_CASE("errors that others left in OpenSSL's queue do no harm to an engine") {
    const auto poison = [] {
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
        ERR_raise(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
    };
    for (const auto version : kVersions) {
        Pair pair(version);
        poison();
        Outcome client = pair.client.engine.handshake(), server = Outcome::wantsInput;
        CHECK(client == Outcome::wantsInput);
        for (int i = 0; i < 10 && (client != Outcome::ok || server != Outcome::ok); ++i) {
            poison();
            server = Pair::feed(pair.server, pair.client.take(), Bytes::npos, server);
            poison();
            client = Pair::feed(pair.client, pair.server.take(), Bytes::npos, client);
        }
        REQUIRE(client == Outcome::ok);
        REQUIRE(server == Outcome::ok);
        poison();
        CHECK(pair.client.engine.write("hello") == Outcome::ok);
        Bytes got;
        poison();
        CHECK(readAll(pair.server, pair.client.take(), got) == Outcome::wantsInput);
        CHECK(got == "hello");
        poison();
        CHECK(pair.client.engine.shutdown() == Outcome::ok);
        poison();
        CHECK(readAll(pair.server, pair.client.take(), got) == Outcome::closed);
        ERR_clear_error();
    }
}

TEST_CASE(
    "nothing can be thrown through OpenSSL: what it calls is noexcept, and a refusal is the handshake's failure "
    "(TLS-19) (CFG-17)") {
    static_assert(noexcept(ssl::noteVerification(0, nullptr)));
    static_assert(noexcept(ssl::selectProtocol(nullptr, nullptr, nullptr, nullptr, 0, nullptr)));
    Side client(ssl::optionsForClientTLS("example.org", ssl::test::exampleCertificate()), ssl::Role::client);
    Side server(ssl::CertificateOptions(serverParameters()), ssl::Role::server);
    CHECK(client.engine.handshake() == Outcome::wantsInput);
    CHECK(Pair::feed(server, client.take(), Bytes::npos, Outcome::wantsInput) == Outcome::wantsInput);
    client.engine.feed(server.out);
    CHECK(client.engine.handshake() == Outcome::failed);
    CHECK(client.engine.failure().check<ssl::VerificationError>());
    CHECK(!client.engine.busy());
}
