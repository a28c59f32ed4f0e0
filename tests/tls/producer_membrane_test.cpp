// Producers over TLS.

#include <torsion/core/log.hpp>
#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// No two pauses and no two resumes in a row.
bool alternates(const std::string& calls) {
    for (std::size_t i = 1; i < calls.size(); ++i) {
        if (calls[i] == calls[i - 1]) return false;
    }
    return true;
}

bool contains(const std::vector<std::string>& diary, const std::string& words) {
    for (const std::string& entry : diary) {
        if (entry.find(words) != std::string::npos) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a push producer hears only changes, though both the handshake and the socket pause it (PC-8) (TRN-4)") {
    TLSPair pair;
    const auto producer = std::make_shared<TestProducer>();
    int rounds = 0;
    producer->onResume = [&] {
        if (++rounds > 5) return;
        for (int i = 0; i < 20; ++i) pair.client->transport().write(Bytes(20000, 'x'));  // on, although it is paused
    };
    pair.client->onMade = [&] { pair.client->transport().registerProducer(producer, true); };
    pair.up();
    pair.flush();
    CHECK(alternates(producer->calls));
    CHECK(producer->calls == "prprprprprpr");
    CHECK(pair.server->received.size() == 5 * 20 * 20000);
}

TEST_CASE("until the handshake is done a push producer is paused, and what it writes is kept (PC-10)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto producer = std::make_shared<TestProducer>();
        producer->onResume = [&] { pair.client->transport().write(", resumed"); };
        pair.client->onMade = [&] {
            pair.client->transport().registerProducer(producer, true);
            CHECK(producer->calls == "p");
            pair.client->transport().write("early");
        };
        pair.start();
        CHECK(producer->calls == "p");
        pair.flush();
        CHECK(producer->calls == "pr");
        CHECK(pair.server->received == "early, resumed");
    }
}

TEST_CASE("a pull producer is driven a few pieces a turn, from the handshake on, until it unregisters (PC-9)") {
    TLSPair pair;
    const auto producer = std::make_shared<TestProducer>();
    int left = 50;
    producer->onResume = [&] {
        CHECK(pair.client->handshakes == 1);
        CHECK(left > 0);
        pair.client->transport().write(Bytes(1000, 'q'));
        if (--left == 0) pair.client->transport().unregisterProducer();
    };
    pair.client->onMade = [&] { pair.client->transport().registerProducer(producer, false); };
    pair.start();
    while (left > 0) {
        const int before = left;
        REQUIRE(pair.pump->pump());
        CHECK(before - left <= 8);
    }
    pair.flush();
    CHECK(pair.server->received == Bytes(50000, 'q'));
    CHECK(producer->calls == std::string(50, 'r'));
}

TEST_CASE("a pull producer rests while the socket is full (PC-9)") {
    TLSPair pair;
    pair.up();
    pair.pump->server().setWireCapacity(0);
    const auto producer = std::make_shared<TestProducer>();
    producer->onResume = [&] { pair.client->transport().write(Bytes(10000, 'q')); };
    pair.client->transport().registerProducer(producer, false);
    pair.flush();
    const std::size_t asked = producer->calls.size();
    CHECK(asked >= 7);
    CHECK(asked <= 16);
    pair.pump->server().setWireCapacity(1000000);
    for (int i = 0; i < 5; ++i) pair.pump->pump();
    CHECK(producer->calls.size() > asked);
    pair.client->transport().unregisterProducer();
    pair.flush();
    CHECK(pair.server->received.size() == producer->calls.size() * 10000);
}

TEST_CASE("a pull producer that throws is unregistered and logged, and the connection goes on (PC-9) (TRN-5)") {
    TLSPair pair;
    pair.up();
    int logged = 0;
    const int observer = log::addObserver([&](const log::Event& event) {
        if (event.failure != nullptr && event.failure->check<ValueError>()) ++logged;
    });
    const auto producer = std::make_shared<TestProducer>();
    producer->onResume = [] { throw ValueError("no more"); };
    pair.client->transport().registerProducer(producer, false);
    pair.flush();
    log::removeObserver(observer);
    CHECK(logged == 1);
    CHECK(producer->calls == "r");
    pair.client->transport().registerProducer(std::make_shared<TestProducer>(), true);  // there is none any more
    pair.client->transport().write("on");
    pair.flush();
    CHECK(pair.server->received == "on");
}

TEST_CASE("writes from inside pauseProducing come behind the write that caused it, whole (PC-4) (PC-8)") {
    // Of sizes that are encrypted from where they are, partly gathered, or gathered only.
    for (const std::size_t size :
         {std::size_t(70000), std::size_t(5 * 16384), std::size_t(5 * 16384 + 1), std::size_t(1) << 20}) {
        for (const bool gathered : {false, true}) {
            CAPTURE(size);
            CAPTURE(gathered);
            TLSPair pair;
            pair.up();
            const auto producer = std::make_shared<TestProducer>();
            int pauses = 0;
            producer->onPause = [&] {
                if (++pauses > 3) return;
                pair.client->transport().write("<" + Bytes(20000, 'i') + ">");
            };
            const Bytes outer = distinctOctets(size);
            pair.inTurn([&] {
                pair.client->transport().registerProducer(producer, true);
                if (gathered) pair.client->transport().write("+");
                pair.client->transport().write(outer);
                pair.client->transport().write("tail");
            });
            pair.flush();
            Bytes expected = gathered ? "+" + outer : outer;
            CHECK(pair.server->received.substr(0, expected.size()) == expected);
            const Bytes rest = pair.server->received.substr(std::min(expected.size(), pair.server->received.size()));
            CHECK(rest.find("<" + Bytes(20000, 'i') + ">") != Bytes::npos);
            CHECK(rest.find("tail") != Bytes::npos);
            CHECK(rest.size() == 4 + 20002 * static_cast<std::size_t>(std::min(pauses, 3)));
        }
    }
}

TEST_CASE("a producer may unregister, abort or close from inside pauseProducing and resumeProducing (PC-4)") {
    for (const std::string what : {"unregister", "abort", "close", "close and unregister"}) {
        for (const bool atPause : {true, false}) {
            CAPTURE(what);
            CAPTURE(atPause);
            TLSPair pair;
            pair.up();
            const auto producer = std::make_shared<TestProducer>();
            const auto act = [&] {
                Transport& transport = pair.client->transport();
                transport.write("said inside");
                if (what == "abort") transport.abortConnection();
                if (what.rfind("close", 0) == 0) transport.loseConnection();
                if (what == "unregister" || what == "close and unregister") transport.unregisterProducer();
            };
            (atPause ? producer->onPause : producer->onResume) = act;
            pair.inTurn([&] {
                pair.client->transport().registerProducer(producer, true);
                pair.client->transport().write(Bytes(200000, 'x'));
            });
            pair.flush();
            if (what == "close") pair.client->transport().unregisterProducer();
            pair.flush();
            if (what == "abort") {
                CHECK(pair.client->why() == "ConnectionAborted");
            } else {
                CHECK(pair.server->received == Bytes(200000, 'x') + "said inside");
                CHECK(pair.client->why() == (what == "unregister" ? "not lost" : "ConnectionDone"));
            }
        }
    }
}

TEST_CASE("at the loss a producer is stopped once, before connectionLost, in the handshake too (PC-5)") {
    for (const bool early : {true, false}) {
        for (const bool streaming : {true, false}) {
            TLSPair pair;
            const auto producer = std::make_shared<TestProducer>();
            producer->onStop = [&] { CHECK(pair.client->lost == 0); };
            pair.client->onMade = [&] {
                if (early) pair.client->transport().registerProducer(producer, streaming);
            };
            pair.start();
            if (!early) {
                pair.flush();
                pair.client->transport().registerProducer(producer, streaming);
            }
            pair.pump->breakConnection();
            for (int i = 0; i < 10; ++i) pair.pump->pump();
            CHECK(pair.client->lost == 1);
            CHECK(std::count(producer->calls.begin(), producer->calls.end(), 's') == 1);
            CHECK(producer->calls.back() == 's');
        }
    }
}

TEST_CASE("when the peer stops a layer of an onion, a producer moves below it without a stop (TLS-23) (PC-12)") {
    for (const bool streaming : {true, false}) {
        OnionPair pair;
        pair.push();
        pair.push();
        const auto producer = std::make_shared<TestProducer>();
        if (!streaming) producer->onResume = [&] { pair.client->transport().write("."); };
        pair.client->transport().registerProducer(producer, streaming);
        for (unsigned depth : {1U, 0U}) {
            pair.server->onion().stopTLS();
            for (int i = 0; i < 20; ++i) pair.pump.pump();
            CHECK(pair.client->onion().depth() == depth);
            CHECK(!pair.client->lost);
        }
        CHECK(producer->calls.find('s') == std::string::npos);
        if (streaming) CHECK(alternates(producer->calls));
        REQUIRE(!producer->calls.empty());
        CHECK(producer->calls.back() == 'r');
        pair.client->transport().write("on top");
        pair.client->transport().loseConnection();
        pair.client->transport().unregisterProducer();
        pair.pump.flush();
        CHECK(pair.client->last() == "lost cleanly");
        CHECK(contains(pair.server->diary, "on top"));
    }
}
