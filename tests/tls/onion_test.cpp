#include <doctest/doctest.h>

#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

using namespace torsion;
using torsion::test::OnionApplication;
using torsion::test::OnionPair;
namespace segmentation = torsion::testing::segmentation;

namespace {

bool contains(const Bytes& haystack, BytesView needle) { return haystack.find(needle) != Bytes::npos; }

/// One word from each end to the other, at the present depth.
void converse(OnionPair& pair, const std::string& word) {
    pair.client->diary.push_back("-");
    pair.server->diary.push_back("-");
    pair.client->transport().write(word + "?");
    pair.pump.flush();
    CHECK(pair.server->last() == "data " + word + "?");
    pair.server->transport().write(word + "!");
    pair.pump.flush();
    CHECK(pair.client->last() == "data " + word + "!");
}

void upAndDown(OnionPair& pair, unsigned layers) {
    converse(pair, "bottom");
    for (unsigned depth = 1; depth <= layers; ++depth) {
        pair.push();
        CHECK(pair.client->onion().depth() == depth);
        CHECK(pair.server->onion().depth() == depth);
        converse(pair, "up" + std::to_string(depth));
    }
    for (unsigned depth = layers; depth > 0; --depth) {
        pair.server->onion().stopTLS();
        pair.client->onion().stopTLS();
        pair.pump.flush();
        CHECK(pair.client->onion().depth() == depth - 1);
        CHECK(pair.server->onion().depth() == depth - 1);
        converse(pair, "down" + std::to_string(depth));
    }
}

}  // namespace

TEST_CASE("layers are put on and taken off to depth 3, twice, however the stream is cut (TLS-23)") {
    for (const auto version : {ssl::TLSVersion::TLSv1_2, ssl::TLSVersion::TLSv1_3}) {
        int way = 0;
        for (const auto& cut : {segmentation::whole(), segmentation::byteByByte(), segmentation::random(1),
                                segmentation::random(2), segmentation::coalesced()}) {
            CAPTURE(way++);
            OnionPair pair(version);
            pair.pump.setSegmentation(cut);
            upAndDown(pair, 3);
            upAndDown(pair, 3);
            CHECK(pair.client->wrote("started 3"));
            CHECK(pair.server->wrote("stopped 3"));
            // In the clear there is what was said at depth 0, and nothing else.
            CHECK(contains(pair.clientWire, "bottom?"));
            CHECK(contains(pair.clientWire, "down1?"));
            CHECK(!contains(pair.clientWire, "up1"));
            CHECK(!contains(pair.clientWire, "up3"));
            CHECK(!contains(pair.serverWire, "down2"));
            pair.client->transport().loseConnection();
            pair.pump.flush();
            CHECK(pair.client->last() == "lost cleanly");
            CHECK(pair.server->last() == "lost cleanly");
        }
    }
}

TEST_CASE("what stands behind a close_notify in one segment goes to the layer below (TLS-23)") {
    for (unsigned layers : {1U, 2U}) {
        OnionPair pair;
        for (unsigned i = 0; i < layers; ++i) pair.push();
        pair.pump.setSegmentation(segmentation::coalesced());
        // The server's stop has come; the client answers with its own, and speaks on in the same turn.
        pair.client->onStopped = [&](unsigned) { pair.client->transport().write("plain words"); };
        pair.server->onion().stopTLS();
        pair.pump.flush();
        CHECK(pair.server->last() == "data plain words");
        CHECK(pair.server->onion().depth() == layers - 1);
        CHECK(contains(pair.clientWire, "plain words") == (layers == 1));
    }
}

TEST_CASE("a handshake that fails ends the connection with its reason, never a pop (i)") {
    OnionPair pair;
    pair.clientOptions = ssl::optionsForClientTLS("example.com", ssl::test::authority());
    pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server);
    pair.client->follow("start", pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client));
    pair.client->transport().write("secret of the client");
    pair.server->transport().write("secret of the server");
    pair.pump.flush();
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<ssl::CertificateVerifyError>());
    REQUIRE(pair.server->lost);
    CHECK(pair.server->lost->check<ssl::Error>());
    CHECK(pair.client->diary.size() == 2);
    CHECK(pair.client->diary[0] == "start failed: torsion::ssl::CertificateVerifyError");
    CHECK(!contains(pair.clientWire, "secret"));
    CHECK(!contains(pair.serverWire, "secret"));
}

TEST_CASE("garbage in a layer that is up ends the connection with an error (i)") {
    OnionPair pair;
    pair.push();
    pair.pump.server().write("this is no TLS record at all");
    pair.pump.flush();
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<ssl::Error>());
    CHECK(!pair.client->wrote("stopped 1"));
}

TEST_CASE("a close_notify on a layer that carries others ends the connection uncleanly (j)") {
    OnionPair pair;
    pair.push();
    pair.push();
    auto& outer = dynamic_cast<TLSMemoryBIOProtocol&>(*pair.serverOnion->wrappedProtocol());
    outer.loseConnection();
    pair.pump.flush();
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<OnionError>());
    CHECK(!pair.client->wrote("stopped 2"));
    REQUIRE(pair.server->lost);
    CHECK(!pair.server->lost->check<ConnectionDone>());
}

TEST_CASE("loseConnection closes all layers, then the connection, cleanly on both sides (k)") {
    for (unsigned layers : {0U, 1U, 2U, 3U}) {
        OnionPair pair;
        for (unsigned i = 0; i < layers; ++i) pair.push();
        pair.client->transport().write("last words");
        pair.client->transport().loseConnection();
        CHECK(pair.client->transport().disconnecting());
        pair.pump.flush();
        CHECK(pair.client->last() == "lost cleanly");
        CHECK(pair.server->wrote("data last words"));
        CHECK(pair.server->last() == "lost cleanly");
        CHECK(!contains(pair.clientWire, "last words") == (layers > 0));
    }
}

TEST_CASE("after loseConnection nothing is delivered, whatever the depth (k)") {
    OnionPair pair;
    pair.push();
    pair.push();
    pair.client->transport().loseConnection();
    pair.server->transport().write("too late");
    pair.pump.flush();
    CHECK(!pair.client->wrote("data too late"));
    CHECK(pair.client->last() == "lost cleanly");
}

TEST_CASE("stopTLS at depth 0 fails; twice on one layer, both fire at the pop (a)") {
    OnionPair pair;
    pair.client->follow("stop", pair.client->onion().stopTLS());
    CHECK(pair.client->last() == "stop failed: torsion::OnionError");
    pair.push();
    pair.client->follow("first", pair.client->onion().stopTLS());
    pair.client->follow("second", pair.client->onion().stopTLS());
    CHECK(!pair.client->wrote("first done"));
    pair.pump.flush();
    CHECK(pair.client->wrote("first done"));
    CHECK(pair.client->last() == "second done");
    converse(pair, "on");
}

TEST_CASE("stopTLS before the handshake ends waits for it and sends what was written (b)") {
    OnionPair pair;
    pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server);
    pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    pair.client->transport().write("through the layer");
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.client->transport().write("below it");
    pair.pump.flush();
    CHECK(pair.client->last() == "stop done");
    CHECK(pair.server->wrote("data through the layer"));
    CHECK(pair.server->last() == "data below it");
    CHECK(!contains(pair.clientWire, "through the layer"));
    CHECK(contains(pair.clientWire, "below it"));
}

TEST_CASE("startTLS while a stop is pending is done at the pop, in order with what is written (c)") {
    for (const auto& cut : {segmentation::whole(), segmentation::coalesced(), segmentation::byteByByte()}) {
        OnionPair pair;
        pair.push();
        pair.pump.setSegmentation(cut);
        pair.client->onion().stopTLS();
        pair.client->transport().write("between");
        pair.client->follow("start", pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client));
        pair.client->transport().write("inside again");
        // The server takes part: it stops passively, hears the word, and starts its half with what stands behind it.
        bool started = false;
        pair.server->onData = [&](BytesView) {
            const std::string said = "data between";
            if (started || pair.server->last().rfind(said, 0) != 0) return;
            started = true;
            const Bytes hello = pair.server->last().substr(said.size());
            pair.server->diary.back() = said;
            pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server, hello);
        };
        pair.pump.flush();
        CHECK(pair.client->wrote("start done"));
        CHECK(pair.server->wrote("data between"));
        CHECK(pair.server->last() == "data inside again");
        CHECK(contains(pair.clientWire, "between"));
        CHECK(!contains(pair.clientWire, "inside again"));
        CHECK(pair.client->onion().depth() == 1);
    }
}

TEST_CASE("startTLS while the layer below still shakes hands is allowed (d)") {
    OnionPair pair;
    for (int i = 0; i < 2; ++i) {
        pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server);
        pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    }
    pair.pump.flush();
    CHECK(pair.client->wrote("started 1"));
    CHECK(pair.client->wrote("started 2"));
    converse(pair, "deep");
}

TEST_CASE("when both ends stop at once there is one pop a side, and both Deferreds succeed (e)") {
    OnionPair pair;
    pair.push();
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.server->follow("stop", pair.server->onion().stopTLS());
    pair.pump.flush();
    for (const auto& application : {pair.client, pair.server}) {
        CHECK(application->last() == "stop done");
        CHECK(application->onion().depth() == 0);
    }
    converse(pair, "plain");
}

TEST_CASE("a loss fails every pending Deferred with the reason, before connectionLost (f)") {
    OnionPair pair;
    pair.push();
    pair.client->diary.clear();
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.client->follow("start", pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client));
    pair.client->transport().write("never sent");
    pair.pump.breakConnection();
    pair.pump.flush();
    CHECK(pair.client->diary == std::vector<std::string>{"stop failed: torsion::ConnectionLost",
                                                         "start failed: torsion::ConnectionLost",
                                                         "lost torsion::ConnectionLost"});
    CHECK(!contains(pair.clientWire, "never sent"));
}

TEST_CASE("loseConnection with Deferreds pending fails them before connectionLost (f)") {
    OnionPair pair;
    pair.push();
    pair.client->diary.clear();
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.client->transport().loseConnection();
    pair.pump.flush();
    CHECK(pair.client->diary == std::vector<std::string>{"stop failed: torsion::ConnectionDone", "lost cleanly"});
}

TEST_CASE("while a stop waits, data is still delivered (g)") {
    OnionPair pair;
    pair.push();
    pair.server->transport().write("on the way");
    pair.client->onion().stopTLS();
    pair.pump.flush();
    CHECK(pair.client->wrote("data on the way"));
    CHECK(pair.client->onion().depth() == 0);
}

TEST_CASE("a passive pop sends what was written ahead of our close_notify, and nothing below before it is told (h)") {
    OnionPair pair;
    pair.push();
    bool told = false;
    pair.client->onStopped = [&](unsigned depth) {
        CHECK(depth == 1);
        pair.client->transport().write("below");
        CHECK(!contains(pair.clientWire, "below"));
        told = true;
    };
    pair.client->transport().write("inside");
    pair.server->onion().stopTLS();
    pair.pump.flush();
    CHECK(told);
    CHECK(pair.server->wrote("data inside"));
    CHECK(pair.server->last() == "data below");
    CHECK(!contains(pair.clientWire, "inside"));
}

TEST_CASE("a passive pop can be forbidden (h)") {
    OnionPair pair;
    pair.push();
    pair.client->onion().allowPassiveStop(false);
    pair.server->onion().stopTLS();
    pair.pump.flush();
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<OnionError>());
    CHECK(!pair.client->wrote("stopped 1"));
}

TEST_CASE("a FIN while layers are up is a loss, after the last pop it is a clean end (TLS-12)") {
    OnionPair pair;
    pair.push();
    pair.pump.server().loseConnection();
    pair.pump.flush();
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<ConnectionLost>());

    OnionPair other;
    other.push();
    other.client->onion().stopTLS();
    other.pump.flush();
    other.pump.server().loseConnection();
    other.pump.flush();
    CHECK(other.client->last() == "lost cleanly");
}

TEST_CASE("octets that came in the clear behind the start of TLS fail the connection (STL-2)") {
    class Buffering : public OnionApplication {
    public:
        Bytes takeUnprocessed() override { return std::exchange(buffered, Bytes()); }
        Bytes buffered = "injected";
    };
    const auto application = std::make_shared<Buffering>();
    const auto onion = std::make_shared<OnionProtocol>(nullptr, application);
    const auto peer = std::make_shared<OnionApplication>();
    testing::IOPump pump(std::make_shared<OnionProtocol>(nullptr, peer), onion);
    const ssl::CertificateOptions options(ssl::test::exampleCertificate());
    application->follow("start", application->onion().startTLS(options, ssl::Role::server));
    pump.flush();
    CHECK(application->diary == std::vector<std::string>{"start failed: torsion::PlaintextAfterStartTLS",
                                                         "lost torsion::PlaintextAfterStartTLS"});
}

TEST_CASE("leftover octets of the handshake are handed to startTLS") {
    OnionPair pair;
    pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    pair.pump.flush();  // the hello reaches the server's application
    REQUIRE(pair.server->diary.size() == 1);
    const Bytes hello = pair.server->diary[0].substr(5);
    pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server, hello);
    pair.pump.flush();
    CHECK(pair.client->last() == "started 1");
    converse(pair, "up");
}

TEST_CASE("a recipe for the other role is refused, and nothing has changed (STL-3)") {
    OnionPair pair;
    CHECK_THROWS_AS(pair.client->onion().startTLS(pair.serverOptions, ssl::Role::client), TypeError);
    converse(pair, "plain");
}

TEST_CASE("a layer whose peer is silent ends at its handshake timeout (D4)") {
    OnionPair pair;
    pair.clientOptions.setHandshakeTimeout(std::chrono::seconds(3));
    pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    pair.pump.advance(std::chrono::milliseconds(2999));
    CHECK(!pair.client->lost);
    pair.pump.advance(std::chrono::milliseconds(1));
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<TLSHandshakeTimeout>());
}

TEST_CASE("a peer that never answers close_notify is left at the close timeout (D3)") {
    OnionPair pair;
    pair.clientOptions.setCloseTimeout(std::chrono::seconds(2));
    pair.push();
    pair.server->transport().pauseProducing();
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.pump.advance(std::chrono::milliseconds(1999));
    CHECK(!pair.client->lost);
    pair.pump.advance(std::chrono::milliseconds(1));
    REQUIRE(pair.client->lost);
    CHECK(pair.client->lost->check<TLSCloseTimeout>());
    CHECK(pair.client->wrote("stop failed: torsion::TLSCloseTimeout"));
}

TEST_CASE("layers are listed with version, cipher and peer") {
    OnionPair pair(ssl::TLSVersion::TLSv1_2);
    pair.push();
    pair.push();
    const std::vector<OnionLayer> layers = pair.client->onion().layers();
    REQUIRE(layers.size() == 2);
    CHECK(layers[0].version == "TLSv1.2");
    CHECK(!layers[1].cipher.empty());
    REQUIRE(layers[1].peerCertificate);
    CHECK(pair.client->transport().as<SSLTransport>().tlsVersion() == "TLSv1.2");
    CHECK(pair.server->onion().layers()[0].peerCertificate == nullptr);
}

TEST_CASE("popped layers die at the end of the turn, and nothing is left of a lost onion") {
    std::weak_ptr<Protocol> layer, application, onion;
    {
        OnionPair pair;
        pair.push();
        layer = pair.clientOnion->wrappedProtocol();
        application = pair.client;
        onion = pair.clientOnion;
        pair.client->onion().stopTLS();
        pair.pump.flush();
        CHECK(layer.expired());
        pair.push();
        layer = pair.clientOnion->wrappedProtocol();
        pair.pump.breakConnection();
        pair.pump.flush();
    }
    CHECK(layer.expired());
    CHECK(application.expired());
    CHECK(onion.expired());
}

TEST_CASE("an exception in layerStopped is the reason of the loss, for stopTLS's Deferred too (TR-13) (f)") {
    testing::LoggedErrors logged;
    OnionPair pair;
    pair.push();
    pair.client->onStopped = [](unsigned) { throw ValueError("not this layer"); };
    pair.client->follow("stop", pair.client->onion().stopTLS());
    pair.pump.flush();
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(logged.size() == 0);
    CHECK(pair.client->wrote("stop failed: torsion::ValueError"));
    CHECK(pair.client->last() == "lost torsion::ValueError");
}

TEST_CASE("half a line that came before a queued startTLS is never part of a line behind it (STL-2) (c)") {
    class Lines : public LineReceiver {
    public:
        void lineReceived(BytesView line) override { lines.emplace_back(line); }
        void connectionLost(const Failure& reason) override { why = reason.typeName(); }
        std::vector<std::string> lines;
        std::string why;
    };
    const auto application = std::make_shared<Lines>();
    const auto peer = std::make_shared<OnionApplication>();
    const ssl::CertificateOptions serverOptions(ssl::test::exampleCertificate());
    const ssl::ClientTLSOptions clientOptions =
        ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    testing::IOPump pump(std::make_shared<OnionProtocol>(nullptr, peer),
                         std::make_shared<OnionProtocol>(nullptr, application));
    auto& onion = application->transport().as<OnionTransport>();
    onion.startTLS(serverOptions, ssl::Role::server);
    peer->onion().startTLS(clientOptions, ssl::Role::client);
    pump.flush();
    onion.stopTLS().addErrback([] {});
    onion.startTLS(serverOptions, ssl::Role::server).addErrback([] {});
    peer->transport().write("INJECTED");
    peer->onion().stopTLS().addErrback([] {});
    peer->onion().startTLS(clientOptions, ssl::Role::client).addErrback([] {});
    peer->transport().write(" line\r\n");
    pump.flush();
    CHECK(application->lines.empty());
    CHECK(application->why == "torsion::PlaintextAfterStartTLS");
}

TEST_CASE(
    "after loseWriteConnection nothing is written, in no layer: the half-close goes down with the pops (TR-8) "
    "(TLS-20)") {
    OnionPair pair;
    pair.push();
    pair.client->transport().write("the last word");
    pair.client->transport().as<TCPTransport>().loseWriteConnection();
    pair.clientWire.clear();
    pair.pump.flush();
    CHECK(pair.server->wrote("data the last word"));
    pair.client->transport().write("SECRET");
    pair.pump.flush();
    CHECK(!contains(pair.clientWire, "SECRET"));
    CHECK(pair.server->last() == "lost cleanly");
}
