// TLS whose two directions end one by one: for protocols that ask for it.

#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// A TLSApplication that goes on when one direction has ended.
class HalfClosing : public TLSApplication, public HalfCloseableProtocol {
public:
    void readConnectionLost() override {
        halves += 'r';
        if (onReadLost) onReadLost();
    }
    void writeConnectionLost() override {
        halves += 'w';
        if (onWriteLost) onWriteLost();
    }
    void loseWrite() { transport().as<TCPTransport>().loseWriteConnection(); }

    std::string halves;  ///< r and w in the order of the calls
    std::function<void()> onReadLost, onWriteLost;
};

/// A pair of which both, or only the client, can be half closed.
struct HalfPair : TLSPair {
    explicit HalfPair(ssl::TLSVersion version = ssl::TLSVersion::TLSv1_3, bool both = true) : TLSPair(version) {
        client = halfClient;
        if (both) server = halfServer;
    }
    std::shared_ptr<HalfClosing> halfClient = std::make_shared<HalfClosing>();
    std::shared_ptr<HalfClosing> halfServer = std::make_shared<HalfClosing>();
};

}  // namespace

TEST_CASE("a half-closeable protocol hears of the peer's close_notify, goes on writing, and closes itself (TLS-20)") {
    for (const auto version : kVersions) {
        HalfPair pair(version);
        pair.up();
        pair.inTurn([&] {
            pair.halfClient->transport().write("the question");
            pair.halfClient->loseWrite();
            CHECK(pair.halfClient->halves == "");  // never from inside
        });
        pair.flush();
        CHECK(pair.halfClient->halves == "w");
        CHECK(pair.halfServer->halves == "r");
        CHECK(pair.halfServer->received == "the question");
        CHECK(pair.halfServer->lost == 0);
        pair.pump->advance(1h);  // no wait of ours ends it
        CHECK(pair.halfClient->lost == 0);

        pair.halfServer->transport().write("the answer");
        pair.flush();
        CHECK(pair.halfClient->received == "the answer");
        pair.halfClient->transport().write("dropped");
        pair.halfServer->transport().loseConnection();
        pair.flush();
        CHECK(pair.halfClient->halves == "wr");
        CHECK(pair.halfClient->why() == "ConnectionDone");
        CHECK(pair.halfServer->why() == "ConnectionDone");
        CHECK(pair.halfServer->received == "the question");
    }
}

TEST_CASE("a half-open connection takes up to its last octet what is written with the close (TLS-20)") {
    HalfPair pair;
    pair.halfServer->onReadLost = [&] {
        pair.halfServer->transport().write(distinctOctets(200000));
        pair.halfServer->transport().loseConnection();
    };
    pair.halfClient->onMade = [&] { pair.halfClient->loseWrite(); };
    pair.start();
    pair.flush();
    CHECK(pair.halfClient->received == distinctOctets(200000));
    CHECK(pair.halfClient->why() == "ConnectionDone");
    CHECK(pair.halfServer->why() == "ConnectionDone");
}

TEST_CASE("the FIN behind a close_notify does not end a half-open connection (TLS-20)") {
    for (const auto version : kVersions) {
        HalfPair pair(version);
        const auto peer = pair.engineClient();
        pair.up();
        peer->sendCloseNotify();
        pair.flush();
        peer->transport().as<TCPTransport>().loseWriteConnection();
        pair.flush();
        CHECK(pair.halfServer->halves == "r");
        CHECK(pair.halfServer->lost == 0);
        pair.halfServer->transport().write("late");
        pair.flush();
        CHECK(peer->received == "late");
        pair.halfServer->transport().loseConnection();
        pair.flush();
        CHECK(pair.halfServer->why() == "ConnectionDone");
        CHECK(peer->heardClose);
    }
}

TEST_CASE("a FIN without close_notify is a truncation for a half-closeable protocol, too (TLS-12) (TLS-20)") {
    HalfPair pair;
    const auto peer = pair.engineClient();
    pair.up();
    peer->transport().as<TCPTransport>().loseWriteConnection();
    pair.flush();
    CHECK(pair.halfServer->halves == "");
    CHECK(pair.halfServer->why() == "TLSTruncated");
}

TEST_CASE("a half-open connection that is cut is no clean end: what was written may be lost (TLS-12) (TLS-20)") {
    HalfPair pair;
    const auto peer = pair.engineClient();
    pair.up();
    peer->sendCloseNotify();
    pair.flush();
    pair.halfServer->transport().write("lost");
    pair.pump->breakConnection();
    pair.flush();
    CHECK(pair.halfServer->why() == "ConnectionLost");
}

TEST_CASE("what stands behind the peer's close_notify is void while the connection is half open (TLS-23)") {
    HalfPair pair;
    const auto peer = pair.engineClient();
    pair.up();
    peer->transport().write(peer->sealed([&] { peer->sendCloseNotify(); }) + "garbage");
    pair.flush();
    peer->transport().write("more garbage");
    pair.flush();
    CHECK(pair.halfServer->halves == "r");
    CHECK(pair.halfServer->received.empty());
    CHECK(pair.halfServer->lost == 0);
    pair.halfServer->transport().loseConnection();
    pair.flush();
    CHECK(pair.halfServer->why() == "ConnectionDone");
}

TEST_CASE("both sides may close their halves at once (TLS-20)") {
    HalfPair pair;
    pair.up();
    pair.inTurn([&] {
        pair.halfClient->transport().write("from the client");
        pair.halfServer->transport().write("from the server");
        pair.halfClient->loseWrite();
        pair.halfServer->loseWrite();
    });
    pair.flush();
    CHECK(pair.halfClient->received == "from the server");
    CHECK(pair.halfServer->received == "from the client");
    CHECK(pair.halfClient->halves == "wr");
    CHECK(pair.halfServer->halves == "wr");
    CHECK(pair.halfClient->why() == "ConnectionDone");
    CHECK(pair.halfServer->why() == "ConnectionDone");
}

TEST_CASE("a producer finishes on a half-open connection, and the close waits for it (TLS-20) (D6)") {
    HalfPair pair;
    pair.up();
    const auto producer = std::make_shared<TestProducer>();
    pair.halfServer->transport().registerProducer(producer, true);
    pair.halfClient->loseWrite();
    pair.flush();
    CHECK(producer->calls.find('s') == std::string::npos);
    pair.halfServer->transport().loseConnection();
    pair.halfServer->transport().write("of the producer");
    pair.flush();
    CHECK(pair.halfServer->lost == 0);
    pair.halfServer->transport().unregisterProducer();
    pair.flush();
    CHECK(pair.halfClient->received == "of the producer");
    CHECK(pair.halfClient->why() == "ConnectionDone");
    CHECK(pair.halfServer->why() == "ConnectionDone");
}

TEST_CASE("what readConnectionLost or writeConnectionLost throws is the reason of the loss (TLS-20) (TR-13)") {
    for (const bool reading : {true, false}) {
        CAPTURE(reading);
        HalfPair pair;
        const auto fail = [] { throw ValueError("thrown by the test"); };
        (reading ? pair.halfServer->onReadLost : pair.halfClient->onWriteLost) = fail;
        pair.up();
        pair.halfClient->loseWrite();
        pair.flush();
        CHECK((reading ? pair.halfServer : pair.halfClient)->why() == "ValueError");
        CHECK((reading ? pair.halfServer : pair.halfClient)->lost == 1);
        if (!reading) pair.halfServer->transport().loseConnection();  // it is half open and may go on
        pair.flush();
        CHECK(pair.halfClient->lost == 1);
        CHECK(pair.halfServer->lost == 1);
    }
}

TEST_CASE("a protocol that knows no halves answers a close_notify at once, and ends (TLS-8) (TLS-20)") {
    HalfPair pair(ssl::TLSVersion::TLSv1_3, false);
    pair.up();
    pair.halfClient->loseWrite();
    pair.flush();
    CHECK(pair.halfClient->halves == "wr");
    CHECK(pair.halfClient->why() == "ConnectionDone");
    CHECK(pair.server->why() == "ConnectionDone");
}

TEST_CASE("after loseConnection no half is told any more (TLS-20) (D24)") {
    HalfPair pair;
    pair.up();
    pair.inTurn([&] {
        pair.halfClient->loseWrite();
        pair.halfClient->transport().loseConnection();
        pair.halfServer->transport().loseConnection();
    });
    pair.flush();
    CHECK(pair.halfClient->halves == "");
    CHECK(pair.halfServer->halves == "");
    CHECK(pair.halfClient->why() == "ConnectionDone");
    CHECK(pair.halfServer->why() == "ConnectionDone");
}
