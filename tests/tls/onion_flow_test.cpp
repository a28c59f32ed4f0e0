// Producers and pauses over layers that come and go.

#include <doctest/doctest.h>

#include <torsion/tests/tls/onion_fixture.hpp>

using namespace torsion;
using torsion::test::OnionPair;
namespace segmentation = torsion::testing::segmentation;

TEST_CASE("a producer that writes until it is paused stays within bounds across startTLS and stopTLS (PC-4) (PC-12)") {
    class Flood : public Producer {
    public:
        explicit Flood(Transport& transport) : transport_(transport) {}
        void pauseProducing() override {
            CHECK(!paused);  // only changes (PC-8)
            paused = true;
        }
        void resumeProducing() override {
            CHECK(paused);
            paused = false;
            push();
        }
        void stopProducing() override { ++stops; }
        void push() {
            while (!paused && left > 0) {
                --left;
                transport_.write(Bytes(5000, 'f'));
            }
        }
        int left = 2000, stops = 0;
        bool paused = false;

    private:
        Transport& transport_;
    };
    OnionPair pair;
    std::size_t got = 0;
    pair.server->onData = [&](BytesView data) {
        got += data.size();
        pair.server->diary.clear();
    };
    const auto flood = std::make_shared<Flood>(pair.client->transport());
    pair.client->transport().registerProducer(flood, true);
    pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server);
    flood->push();
    CHECK(flood->left == 2000);  // until the handshake is done it waits
    pair.pump.flush();
    CHECK(flood->left == 0);
    flood->left = 2000;
    flood->push();
    CHECK(flood->left > 1900);
    pair.client->onion().stopTLS();
    CHECK(pair.client->transport().as<TCPTransport>().bufferedBytes() < 500000);
    pair.pump.flush();
    CHECK(pair.client->onion().depth() == 0);
    CHECK(flood->left == 0);
    CHECK(got == 4000U * 5000U);
    CHECK(flood->stops == 0);
    pair.client->transport().unregisterProducer();
}

TEST_CASE("what stands behind a close_notify waits for an application that layerStopped has paused (PC-7) (TLS-23)") {
    OnionPair pair;
    pair.push();
    bool paused = false;
    pair.client->onStopped = [&](unsigned) {
        pair.client->transport().pauseProducing();
        paused = true;
    };
    pair.client->onData = [&](BytesView) { CHECK(!paused); };
    pair.server->onStopped = [&](unsigned) { pair.server->transport().write("below"); };
    pair.client->onion().stopTLS();
    pair.pump.setSegmentation(segmentation::coalesced());
    pair.pump.flush();
    CHECK(pair.client->last() == "stopped 1");
    pair.server->transport().write(", and more");
    paused = false;
    pair.client->transport().resumeProducing();
    pair.pump.flush();
    CHECK(pair.client->last() == "data below, and more");
}

TEST_CASE("stopTLS waits for an application that has paused: it is not the peer that lets wait (TLS-8) (D3)") {
    OnionPair pair;
    pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
    pair.server->onion().startTLS(pair.serverOptions, ssl::Role::server);
    pair.pump.flush();
    REQUIRE(pair.client->onion().depth() == 1);
    pair.client->transport().pauseProducing();
    bool stopped = false;
    pair.client->onion().stopTLS().addCallback([&] { stopped = true; });
    pair.pump.flush();
    pair.pump.advance(std::chrono::hours(1));
    CHECK_FALSE(stopped);
    pair.client->transport().resumeProducing();
    pair.pump.flush();
    CHECK(stopped);
    CHECK(pair.client->onion().depth() == 0);
}
