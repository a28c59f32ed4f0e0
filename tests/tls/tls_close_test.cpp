// How a TLS connection ends: in order, cut short, aborted, or left alone.

#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::test;
namespace segmentation = torsion::testing::segmentation;

namespace {

/// Alerts as they look from outside: in TLS 1.3 they are in records of application data.
int closesSeen(const RecordLog& wire, ssl::TLSVersion version, int dataBefore) {
    return version == ssl::TLSVersion::TLSv1_2 ? wire.count(RecordLog::kAlert)
                                               : wire.count(RecordLog::kApplicationData) - dataBefore;
}

}  // namespace

TEST_CASE("loseConnection with nothing written aborts while the handshake is not done (TLS-5)") {
    TLSPair pair;
    pair.start();
    pair.pump->pump();
    pair.client->transport().loseConnection();
    CHECK(pair.client->lost == 0);
    pair.flush();
    CHECK(pair.client->why() == "ConnectionAborted");
    CHECK(pair.server->why() == "ConnectionLost");
    CHECK(pair.client->handshakes == 0);
}

TEST_CASE("loseConnection with something written waits for the handshake, sends it, then closes (TLS-6)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.client->onMade = [&] {
            pair.client->transport().write("first and last");
            pair.client->transport().loseConnection();
            pair.client->transport().loseConnection();
            CHECK(pair.client->transport().disconnecting());
        };
        pair.start();
        pair.flush();
        CHECK(pair.server->received == "first and last");
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

TEST_CASE("writes after loseConnection are dropped, unless a producer is registered (TLS-7)") {
    for (const bool withProducer : {false, true}) {
        for (const bool beforeHandshake : {false, true}) {
            CAPTURE(withProducer);
            CAPTURE(beforeHandshake);
            TLSPair pair;
            const auto producer = std::make_shared<TestProducer>();
            const auto act = [&] {
                Transport& transport = pair.client->transport();
                transport.write("before");
                if (withProducer) transport.registerProducer(producer, true);
                transport.loseConnection();
                transport.write(" after");
            };
            if (beforeHandshake) {
                pair.client->onMade = act;
                pair.up();
            } else {
                pair.up();
                pair.inTurn(act);
                pair.flush();
            }
            CHECK(pair.client->lost == (withProducer ? 0 : 1));
            if (withProducer) {
                pair.client->transport().write(" and more");
                pair.flush();
                pair.inTurn([&] {
                    pair.client->transport().unregisterProducer();
                    pair.client->transport().write(" too late");
                });
                pair.flush();
            }
            CHECK(pair.server->received == (withProducer ? "before after and more" : "before"));
            CHECK(pair.client->why() == "ConnectionDone");
            CHECK(pair.server->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("loseConnection, write and unregister in one turn lose nothing (TLS-15) (D15)") {
    for (const bool streaming : {true, false}) {
        TLSPair pair;
        pair.up();
        const auto producer = std::make_shared<TestProducer>();
        pair.inTurn([&] {
            Transport& transport = pair.client->transport();
            transport.registerProducer(producer, streaming);
            transport.write(Bytes(1000, 'a'));
            transport.loseConnection();
            transport.write(Bytes(1000, 'b'));
            transport.unregisterProducer();
        });
        pair.flush();
        CHECK(pair.server->received == Bytes(1000, 'a') + Bytes(1000, 'b'));
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(producer->calls == "");
    }
}

TEST_CASE("a close goes both ways: the socket is closed when the peer's close_notify has come (TLS-8) (CL-6)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineServer();
        pair.up();
        const int before = pair.clientWire.count(RecordLog::kApplicationData);
        pair.client->transport().loseConnection();
        pair.flush();
        CHECK(peer->heardClose);
        CHECK(closesSeen(pair.clientWire, version, before) == 1);
        CHECK(pair.client->lost == 0);
        CHECK(!pair.pump->client().disconnecting());
        peer->sendCloseNotify();
        // The lower transport is told to close; the application hears of it from there, in a later turn.
        while (!pair.pump->client().disconnecting()) REQUIRE(pair.pump->pump());
        CHECK(pair.client->lost == 0);
        pair.flush();
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(closesSeen(pair.clientWire, version, before) == 1);
        REQUIRE(peer->lost);
        CHECK(peer->lost->check<ConnectionDone>());
    }
}

TEST_CASE("a peer that closes first is answered behind what was written (TLS-8)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineServer();
        pair.up();
        const Bytes closing = peer->sealed([&] {
            peer->say("last");
            peer->sendCloseNotify();
        });
        pair.client->onData = [&](BytesView) { pair.client->transport().write("answer"); };
        peer->transport().write(closing);
        pair.flush();
        CHECK(pair.client->received == "last");
        CHECK(peer->received == "answer");
        CHECK(peer->heardClose);
        CHECK(pair.client->why() == "ConnectionDone");
    }
}

TEST_CASE("when both close at once both end cleanly (TLS-8)") {
    for (const auto& cut : {segmentation::whole(), segmentation::byteByByte(), segmentation::coalesced()}) {
        TLSPair pair;
        pair.up();
        pair.pump->setSegmentation(cut);
        pair.inTurn([&] {
            pair.client->transport().loseConnection();
            pair.server->transport().loseConnection();
        });
        pair.flush();
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

TEST_CASE("a peer that never answers close_notify is left at the close timeout: limit-1, limit (TLS-8) (D3)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.connectWith(goodClient().setCloseTimeout(2s));
        const auto peer = pair.engineServer();
        pair.up();
        pair.pump->advance(1h);
        CHECK(pair.client->lost == 0);  // the handshake's limit is gone
        pair.client->transport().loseConnection();
        pair.flush();
        pair.pump->advance(1999ms);
        CHECK(pair.client->lost == 0);
        pair.pump->advance(1ms);
        CHECK(pair.client->why() == "TLSCloseTimeout");
        CHECK(pair.client->reason->check<ConnectionLost>());
        CHECK(pair.client->lost == 1);
        CHECK(pair.pump->clock().getDelayedCalls().empty());
        REQUIRE(peer->lost);
        CHECK(!peer->lost->check<ConnectionDone>());
    }
}

TEST_CASE("a close that is answered leaves no timer behind (D3)") {
    TLSPair pair;
    pair.up();
    CHECK(pair.pump->clock().getDelayedCalls().empty());
    pair.client->transport().loseConnection();
    pair.flush();
    CHECK(pair.client->why() == "ConnectionDone");
    CHECK(pair.pump->clock().getDelayedCalls().empty());
}

TEST_CASE("a peer that takes its time to read is not cut off while it reads (TLS-8) (D3)") {
    TLSPair pair;
    pair.connectWith(goodClient().setCloseTimeout(2s));
    const Bytes sent = distinctOctets(300000);
    pair.up();
    pair.pump->server().setWireCapacity(10000);
    pair.pump->server().pauseProducing();
    pair.inTurn([&] {
        pair.client->transport().write(sent);
        pair.client->transport().loseConnection();
    });
    pair.flush();
    for (int second = 0; second < 300 && pair.client->lost == 0; ++second) {
        pair.pump->server().resumeProducing();
        pair.pump->pump();
        pair.pump->server().pauseProducing();
        pair.pump->advance(1s);
    }
    CHECK(pair.server->received == sent);
    CHECK(pair.client->why() == "ConnectionDone");
}

TEST_CASE("a peer that is silent in the handshake is left at the handshake timeout: limit-1, limit (D4)") {
    for (const bool isServer : {true, false}) {
        TLSPair pair;
        pair.serve(ssl::CertificateOptions(serverParameters().handshakeTimeout(3s)));
        pair.connectWith(goodClient().setHandshakeTimeout(3s));
        const auto silent = std::make_shared<TLSApplication>();
        (isServer ? pair.clientOutside : pair.serverOutside) = silent;
        pair.start();
        TLSApplication& patient = isServer ? *pair.server : *pair.client;
        patient.transport().write("waits");
        pair.pump->advance(2999ms);
        CHECK(patient.lost == 0);
        pair.pump->advance(1ms);
        CHECK(patient.why() == "TLSHandshakeTimeout");
        CHECK(patient.reason->check<ConnectionLost>());
        CHECK(silent->lost == 1);
        CHECK(pair.pump->clock().getDelayedCalls().empty());
    }
}

TEST_CASE("the default handshake timeout is 30 s, for clients and servers (D4)") {
    TLSPair pair;
    pair.clientOutside = std::make_shared<TLSApplication>();
    pair.start();
    pair.pump->advance(29999ms);
    CHECK(pair.server->lost == 0);
    pair.pump->advance(1ms);
    CHECK(pair.server->why() == "TLSHandshakeTimeout");
}

TEST_CASE("an end without close_notify is a truncation, in the handshake too (TLS-12)") {
    for (const auto version : kVersions) {
        TLSPair later(version);
        const auto peer = later.engineServer();
        later.up();
        peer->say("half of it");
        peer->transport().loseConnection();
        later.flush();
        CHECK(later.client->received == "half of it");
        CHECK(later.client->why() == "TLSTruncated");
        CHECK(later.client->reason->check<ConnectionLost>());

        TLSPair early(version);
        early.serverOutside = std::make_shared<TLSApplication>();
        early.start();
        early.pump->server().loseConnection();
        early.flush();
        CHECK(early.client->why() == "TLSTruncated");
        CHECK(early.client->handshakes == 0);

        // And after our own close_notify: it is the peer's that counts.
        TLSPair closing(version);
        const auto rude = closing.engineServer();
        closing.up();
        closing.client->transport().loseConnection();
        closing.flush();
        rude->transport().loseConnection();
        closing.flush();
        CHECK(closing.client->why() == "TLSTruncated");
    }
}

TEST_CASE("a reset is a ConnectionLost; behind the peer's close_notify it is clean, if nothing was unsent (TLS-12)") {
    TLSPair pair;
    pair.up();
    pair.pump->breakConnection(ConnectionLost("Connection reset by peer"));
    pair.flush();
    CHECK(pair.client->why() == "ConnectionLost");

    for (const bool unsent : {false, true}) {
        TLSPair closed;
        const auto peer = closed.engineServer();
        closed.up();
        const Bytes close = peer->sealed([&] { peer->sendCloseNotify(); });
        closed.pump->server().setWireCapacity(0);
        if (unsent) closed.client->transport().write(Bytes(50000, 'x'));
        closed.pump->pump();
        peer->transport().write(close);
        while (!closed.pump->client().disconnecting()) REQUIRE(closed.pump->pump());
        closed.pump->client().breakConnection(ConnectionLost("Connection reset by peer"));
        closed.flush();
        CHECK(closed.client->why() == (unsent ? "ConnectionLost" : "ConnectionDone"));
    }
}

TEST_CASE("abortConnection delivers nothing more, drops what is gathered, and says nothing (TLS-13) (TLS-14) (D15)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineServer();
        pair.up();
        const Bytes records = peer->sealed([&] {
            peer->say("one");
            peer->say("two");
        });
        const std::size_t before = pair.clientWire.wire.size();
        pair.client->onData = [&](BytesView) {
            pair.client->transport().write("dropped");
            pair.client->transport().abortConnection();
            pair.client->transport().abortConnection();
            CHECK(pair.client->lost == 0);
            pair.client->transport().write("dropped, too");
        };
        peer->transport().write(records);
        pair.flush();
        CHECK(pair.client->received == "one");
        CHECK(pair.client->why() == "ConnectionAborted");
        CHECK(pair.client->lost == 1);
        CHECK(pair.clientWire.wire.size() == before);
        REQUIRE(peer->lost);
        CHECK(peer->lost->check<ConnectionLost>());
    }
}

TEST_CASE("after loseConnection nothing is delivered, not even of the same delivery (D24)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineServer();
        pair.up();
        const Bytes records = peer->sealed([&] {
            peer->say("one");
            peer->say("two");
        });
        pair.client->onData = [&](BytesView) { pair.client->transport().loseConnection(); };
        peer->transport().write(records);
        pair.flush();
        peer->say("three");
        peer->sendCloseNotify();
        pair.flush();
        CHECK(pair.client->received == "one");
        CHECK(pair.client->why() == "ConnectionDone");
    }
}

TEST_CASE("loseConnection of a paused connection still hears the peer's answer (TLS-8)") {
    for (const bool held : {false, true}) {
        TLSPair pair;
        pair.up();
        if (held) {
            pair.client->onData = [&](BytesView) { pair.client->transport().pauseProducing(); };
            pair.inTurn([&] {
                for (int i = 0; i < 4; ++i) pair.server->transport().write(Bytes(16384, 'x'));
            });
            pair.flush();
        } else {
            pair.client->transport().pauseProducing();
        }
        const std::size_t before = pair.client->received.size();
        pair.client->transport().loseConnection();
        pair.flush();
        CHECK(pair.client->received.size() == before);
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

TEST_CASE("octets behind a close_notify are void on plain TLS (TLS-23)") {
    for (const auto version : kVersions) {
        for (const auto& cut : {segmentation::whole(), segmentation::byteByByte(), segmentation::coalesced()}) {
            TLSPair pair(version);
            const auto peer = pair.engineServer();
            pair.up();
            pair.pump->setSegmentation(cut);
            peer->transport().write(peer->sealed([&] {
                peer->say("inside");
                peer->sendCloseNotify();
            }) + "in the clear, and void");
            pair.flush();
            CHECK(pair.client->received == "inside");
            CHECK(pair.client->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("loseWriteConnection sends close_notify behind what was written, and reads on (TLS-20)") {
    for (const auto version : kVersions) {
        for (const bool early : {true, false}) {
            CAPTURE(early);
            TLSPair pair(version);
            pair.connectWith(goodClient().setCloseTimeout(2s));
            const auto peer = pair.engineServer();
            const auto act = [&] {
                pair.client->transport().write("all of it");
                pair.client->transport().as<TCPTransport>().loseWriteConnection();
                pair.client->transport().as<TCPTransport>().loseWriteConnection();
                pair.client->transport().write("dropped");
            };
            if (early) {
                pair.client->onMade = act;
                pair.up();
            } else {
                pair.up();
                pair.inTurn(act);
                pair.flush();
            }
            CHECK(peer->received == "all of it");
            CHECK(peer->heardClose);
            CHECK(!pair.client->transport().disconnecting());
            pair.pump->advance(1h);  // this is no close: the peer may go on as long as it likes
            peer->say("a long answer");
            pair.flush();
            CHECK(pair.client->received == "a long answer");
            CHECK(pair.client->lost == 0);
            peer->sendCloseNotify();
            pair.flush();
            CHECK(pair.client->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("loseConnection after loseWriteConnection waits for the peer, within the close timeout (TLS-20) (D3)") {
    TLSPair pair;
    pair.connectWith(goodClient().setCloseTimeout(2s));
    const auto peer = pair.engineServer();
    pair.up();
    pair.client->transport().as<TCPTransport>().loseWriteConnection();
    pair.flush();
    pair.pump->advance(1h);
    pair.client->transport().loseConnection();
    peer->say("not delivered any more");
    pair.pump->advance(1999ms);
    CHECK(pair.client->lost == 0);
    pair.pump->advance(1ms);
    CHECK(pair.client->why() == "TLSCloseTimeout");
    CHECK(pair.client->received.empty());
}

TEST_CASE("a peer that closes while a producer is registered ends the connection, and stops it once (TLS-8) (PC-5)") {
    for (const bool streaming : {true, false}) {
        for (const bool losing : {false, true}) {
            CAPTURE(streaming);
            CAPTURE(losing);
            TLSPair pair;
            pair.up();
            const auto producer = std::make_shared<TestProducer>();
            producer->onStop = [&] { CHECK(pair.client->lost == 0); };
            pair.client->transport().registerProducer(producer, streaming);
            for (int i = 0; i < 5; ++i) pair.pump->pump();
            if (losing) pair.client->transport().loseConnection();
            pair.server->transport().loseConnection();
            for (int i = 0; i < 50; ++i) pair.pump->pump();
            CHECK(pair.client->why() == "ConnectionDone");
            CHECK(pair.server->why() == "ConnectionDone");
            CHECK(std::count(producer->calls.begin(), producer->calls.end(), 's') == 1);
            pair.client->transport().unregisterProducer();
        }
    }
}

TEST_CASE("failConnection tells the peer, and is the reason (CL-6)") {
    TLSPair pair;
    pair.up();
    pair.inTurn([&] {
        pair.client->transport().write("still sent");
        pair.client->transport().failConnection(ValueError("ours"));
        pair.client->transport().write("dropped");
    });
    pair.flush();
    CHECK(pair.client->why() == "ValueError");
    CHECK(pair.server->received == "still sent");
    CHECK(pair.server->why() == "ConnectionDone");
}
