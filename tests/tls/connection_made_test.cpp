// connectionMade that means secure: ConnectionMade::afterHandshake.

#include <torsion/tests/tls/tls_fixture.hpp>

#include <torsion/core/log.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// A pair in which both sides, or one, hear of their connection when it is verified.
struct SecurePair : TLSPair {
    using TLSPair::TLSPair;

    void start() {
        clientOutside = build(*clientOptions, ssl::Role::client, client);
        serverOutside = build(*serverOptions, ssl::Role::server, server);
        TLSPair::start();
    }
    static std::shared_ptr<Protocol> build(const ssl::ContextFactory& options, ssl::Role role,
                                           const std::shared_ptr<Protocol>& application) {
        return std::make_shared<TLSMemoryBIOFactory>(options, role, std::make_shared<OneProtocolFactory>(application),
                                                     ConnectionMade::afterHandshake)
            ->buildProtocol(Address());
    }
    TLSMemoryBIOProtocol& clientLayer() { return static_cast<TLSMemoryBIOProtocol&>(*clientOutside); }
    TLSMemoryBIOProtocol& serverLayer() { return static_cast<TLSMemoryBIOProtocol&>(*serverOutside); }
};

/// How a Deferred came out: "pending", "done", or the type of its failure.
struct Ending {
    explicit Ending(Deferred<void> deferred) {
        deferred.addCallbacks([text = text] { *text = "done"; },
                              [text = text](const Failure& failure) {
                                  const std::string name = failure.typeName();
                                  *text = name.substr(name.rfind(':') + 1);
                              });
    }
    std::shared_ptr<std::string> text = std::make_shared<std::string>("pending");
};

}  // namespace

TEST_CASE(
    "connectionMade may wait for a verified handshake; then the peer is known, and writes go out at once (TLS-1)") {
    for (const auto version : kVersions) {
        SecurePair pair(version);
        std::string order;
        pair.client->onMade = [&] {
            order += 'm';
            CHECK(pair.client->ssl().getPeerCertificate() != nullptr);
            CHECK(pair.client->ssl().tlsVersion() != "");
            pair.client->transport().write("hello");
        };
        pair.client->onHandshake = [&] { order += 'h'; };
        pair.start();
        CHECK(pair.client->made == 0);
        CHECK(pair.server->made == 0);
        const Ending client(pair.clientLayer().established());
        const Ending server(pair.serverLayer().established());
        CHECK(*client.text == "pending");
        pair.flush();
        CHECK(order == "mh");
        CHECK(pair.client->made == 1);
        CHECK(pair.server->made == 1);
        CHECK(pair.server->received == "hello");
        CHECK(*client.text == "done");
        CHECK(*server.text == "done");
        CHECK(*Ending(pair.clientLayer().established()).text == "done");
        pair.client->transport().loseConnection();
        pair.flush();
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

TEST_CASE("a protocol whose peer was never verified hears nothing at all (TLS-1) (TLS-11)") {
    for (const auto version : kVersions) {
        SecurePair pair(version);
        pair.connectWith(ssl::optionsForClientTLS("other.example", ssl::test::exampleCertificate()));
        pair.start();
        const Ending client(pair.clientLayer().established());
        const Ending server(pair.serverLayer().established());
        const std::weak_ptr<Protocol> forgotten = pair.client;
        pair.client.reset();
        pair.flush();
        CHECK(*client.text == "VerificationError");
        CHECK(forgotten.expired());  // nobody has it any more, and nothing was told
        CHECK(*Ending(pair.clientLayer().established()).text == "ConnectionLost");
        // In TLS 1.3 the server learns of the refusal after the client's Finished would have come.
        CHECK(*server.text == "Error");
        CHECK(pair.server->made == 0);
        CHECK(pair.server->lost == 0);
    }
}

TEST_CASE("a lost transport, a silent peer and an early close fail what waits for the handshake (TLS-12) (D4)") {
    SUBCASE("lost") {
        SecurePair pair;
        pair.start();
        const Ending client(pair.clientLayer().established());
        pair.pump->breakConnection(failureOf<ConnectionDone>());
        pair.flush();
        CHECK(*client.text == "TLSTruncated");
        CHECK(pair.client->lost == 0);
    }
    SUBCASE("silent") {
        SecurePair pair;
        pair.connectWith(goodClient().setHandshakeTimeout(3s));
        pair.clientOutside = SecurePair::build(*pair.clientOptions, ssl::Role::client, pair.client);
        pair.pump.emplace(pair.clientOutside, std::make_shared<TLSApplication>());
        const Ending client(pair.clientLayer().established());
        pair.pump->advance(2999ms);
        CHECK(*client.text == "pending");
        pair.pump->advance(1ms);
        CHECK(*client.text == "TLSHandshakeTimeout");
        CHECK(pair.client->made == 0);
        CHECK(pair.client->lost == 0);
    }
    SUBCASE("cancelled") {
        SecurePair pair;
        pair.start();
        const Deferred<void> established = pair.clientLayer().established();
        const Ending client(established);
        established.cancel();
        CHECK(*client.text == "CancelledError");
        pair.flush();
        CHECK(pair.client->made == 0);
        CHECK(pair.client->lost == 0);
        CHECK(pair.server->made == 0);
    }
}

TEST_CASE("a factory may have timeouts of its own, on the reactor's clock (D3) (D4)") {
    for (const Duration limit : {Duration(999ms), Duration(1000ms), Duration(1001ms)}) {
        CAPTURE(limit.count());
        const auto factory = [](const std::shared_ptr<Protocol>& application) {
            return std::make_shared<TLSMemoryBIOFactory>(goodClient(), ssl::Role::client,
                                                         std::make_shared<OneProtocolFactory>(application));
        };
        const auto impatient = std::make_shared<TLSApplication>();
        const auto shaking = factory(impatient);
        shaking->setHandshakeTimeout(limit);
        shaking->setCloseTimeout(1h);
        testing::IOPump pump(shaking->buildProtocol(Address()), std::make_shared<TLSApplication>());
        pump.advance(1000ms);
        CHECK(impatient->why() == (limit <= 1000ms ? "TLSHandshakeTimeout" : "not lost"));

        TLSPair pair;
        const auto peer = pair.engineServer();
        const auto closing = factory(pair.client);
        closing->setCloseTimeout(limit);
        closing->setHandshakeTimeout(1h);
        pair.clientOutside = closing->buildProtocol(Address());
        pair.up();
        pair.client->transport().loseConnection();
        pair.flush();
        pair.pump->advance(1000ms);
        CHECK(pair.client->why() == (limit <= 1000ms ? "TLSCloseTimeout" : "not lost"));
    }
    TLSMemoryBIOFactory factory(goodClient(), ssl::Role::client, std::make_shared<OneProtocolFactory>(nullptr));
    CHECK_THROWS_AS(factory.setHandshakeTimeout(0s), ValueError);
    CHECK_THROWS_AS(factory.setCloseTimeout(-1s), ValueError);
}

TEST_CASE("what a late connectionMade throws ends the connection, and is the reason everywhere (TLS-1) (D11)") {
    SecurePair pair;
    pair.client->onMade = [] { throw ValueError("not today"); };
    pair.start();
    const Ending client(pair.clientLayer().established());
    pair.flush();
    CHECK(*client.text == "ValueError");
    CHECK(pair.client->made == 1);
    CHECK(pair.client->handshakes == 0);
    CHECK(pair.client->why() == "ValueError");
    CHECK(pair.server->lost == pair.server->made);
}

TEST_CASE("a late connectionMade may close or abort; then no handshakeCompleted comes after an abort (TLS-1) (TLS-9)") {
    for (const bool abort : {true, false}) {
        CAPTURE(abort);
        SecurePair pair;
        pair.client->onMade = [&] {
            if (abort) {
                pair.client->transport().abortConnection();
            } else {
                pair.client->transport().write("that was all");
                pair.client->transport().loseConnection();
            }
        };
        pair.start();
        const Ending client(pair.clientLayer().established());
        pair.flush();
        CHECK(*client.text == "done");
        CHECK(pair.client->handshakes == (abort ? 0 : 1));
        CHECK(pair.client->why() == (abort ? "ConnectionAborted" : "ConnectionDone"));
        CHECK(pair.server->received == (abort ? "" : "that was all"));
    }
}

TEST_CASE("data that comes with the end of the handshake is delivered behind a late connectionMade (TLS-1)") {
    for (const auto version : kVersions) {
        SecurePair pair(version);
        pair.client->onMade = [&] { CHECK(pair.client->received.empty()); };
        pair.server->onMade = [&] { pair.server->transport().write("welcome"); };
        pair.start();
        pair.flush();
        CHECK(pair.client->received == "welcome");
    }
}
