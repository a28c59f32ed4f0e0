// What an onion tells of its layers, and what it does with Deferreds that nobody listens to.

#include <torsion/tests/tls/onion_cases.hpp>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("layers are listed with role, state, version, cipher, peer and ALPN, in every role") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.start(scene.we);
        OnionLayer layer = scene.we.onion().layers().back();
        CHECK(layer.state == OnionLayer::State::handshaking);
        CHECK(layer.role == (scene.server ? ssl::Role::server : ssl::Role::client));
        CHECK(layer.version.empty());
        CHECK(layer.cipher.empty());
        CHECK(layer.peerCertificate == nullptr);
        scene.start(scene.peer);
        scene.flush();
        REQUIRE(scene.we.onion().layers().size() == scene.depth + 1);
        for (const OnionLayer& each : scene.we.onion().layers()) {
            CHECK(each.state == OnionLayer::State::up);
            CHECK(each.version == (scene.version == ssl::TLSVersion::TLSv1_2 ? "TLSv1.2" : "TLSv1.3"));
            CHECK(!each.cipher.empty());
            CHECK((each.peerCertificate != nullptr) == !scene.server);
            CHECK(!each.negotiatedProtocol);
        }
        scene.we.onion().stopTLS();
        CHECK(scene.we.onion().layers().back().state == OnionLayer::State::stopping);
        scene.flush();
        CHECK(scene.we.onion().layers().size() == scene.depth);
        scene.we.transport().loseConnection();
        for (const OnionLayer& each : scene.we.onion().layers()) CHECK(each.state == OnionLayer::State::stopping);
    });
}

TEST_CASE("a layer counts the octets each way, as plaintext and as ciphertext, from when it was put on") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.ourWire.clear();
        scene.peerWire.clear();
        scene.start(scene.peer);
        scene.start(scene.we);
        scene.we.transport().write("four");
        OnionLayer layer = scene.we.onion().layers().back();
        CHECK(layer.plaintextWritten == 4);  // although it waits for the handshake
        CHECK(layer.plaintextReceived == 0);
        scene.flush();
        scene.we.transport().write(Bytes(70000, 'x'));
        scene.peer.transport().write(Bytes(40000, 'y'));
        scene.flush();
        const std::vector<OnionLayer> ours = scene.we.onion().layers();
        const std::vector<OnionLayer> theirs = scene.peer.onion().layers();
        CHECK(ours.back().plaintextWritten == 70004);
        CHECK(ours.back().plaintextReceived == 40000);
        REQUIRE(theirs.size() == ours.size());
        for (std::size_t i = 0; i < ours.size(); ++i) {
            CHECK(theirs[i].plaintextReceived == ours[i].plaintextWritten);
            CHECK(theirs[i].plaintextWritten == ours[i].plaintextReceived);
            CHECK(theirs[i].ciphertextReceived == ours[i].ciphertextWritten);
            CHECK(theirs[i].ciphertextWritten == ours[i].ciphertextReceived);
            CHECK(ours[i].ciphertextWritten > ours[i].plaintextWritten);
        }
        if (scene.depth == 0) {
            CHECK(ours[0].ciphertextWritten == scene.ourWire.size());
            CHECK(ours[0].ciphertextReceived == scene.peerWire.size());
        }
    });
}

TEST_CASE("a loss logs nothing for Deferreds of startTLS and stopTLS that nobody listens to (f)") {
    const CriticalLog log;
    everyCase(1, 2, [](OnionCase& scene) {
        scene.we.onion().stopTLS();
        scene.start(scene.we);  // queued behind the stop
        scene.start(scene.peer);
        scene.pair.pump.breakConnection();
        scene.flush();
        CHECK(scene.we.lost);
        scene.start(scene.we);  // too late: that is known
        scene.we.onion().stopTLS();
    });
    CHECK(log.texts.empty());
    {
        OnionPair pair;
        pair.client->onion().stopTLS();  // at depth 0: nothing else tells of that
    }
    CHECK(log.messages.size() == 1);
}

TEST_CASE("an error of the listener itself is logged, although the loss is not (f)") {
    const CriticalLog log;
    {
        OnionPair pair;
        pair.push();
        pair.client->onion().stopTLS().addErrback([] { throw ValueError("the listener's own"); });
        pair.pump.breakConnection();
        pair.pump.flush();
    }
    CHECK(log.messages == std::vector<std::string>{"the listener's own"});
}

TEST_CASE("a recipe for the other role is refused behind a pending stop too, so that nothing goes out without it (c)") {
    OnionPair pair;
    pair.push();
    pair.client->onion().stopTLS();
    CHECK_THROWS_AS(pair.client->onion().startTLS(pair.serverOptions, ssl::Role::client), TypeError);
    auto& transport = pair.client->transport().as<TLSTransport>();
    CHECK_THROWS_AS(transport.startTLS(pair.serverOptions, TLSRole::client), TypeError);
    CHECK_THROWS_AS(transport.startTLS(pair.clientOptions, TLSRole::normal), ValueError);
    pair.pump.flush();
    CHECK(pair.client->onion().depth() == 0);
}

TEST_CASE("a layer that is put on while the application is paused delivers nothing before resumeProducing (PC-7)") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.start(scene.peer);
        scene.peer.transport().write("inside");
        scene.we.transport().pauseProducing();
        scene.we.follow("start", scene.start(scene.we));
        scene.flush();
        CHECK(scene.we.diary.empty());
        scene.we.transport().resumeProducing();
        scene.flush();
        CHECK(scene.we.wrote("start done"));
        CHECK(scene.we.last() == "data inside");
    });
}

TEST_CASE("loseConnection lifts the pause of a layer that was put on while the application was paused (k)") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.start(scene.peer);
        scene.we.transport().pauseProducing();
        scene.start(scene.we);
        scene.we.transport().write("last words");
        scene.we.transport().loseConnection();
        scene.flush();
        CHECK(scene.peer.wrote("data last words"));
        CHECK(scene.we.last() == "lost cleanly");
        CHECK(scene.peer.last() == "lost cleanly");
    });
}
