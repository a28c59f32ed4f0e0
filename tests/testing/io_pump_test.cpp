#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/testing/connected.hpp>
#include <torsion/testing/io_pump.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::AccumulatingProtocol;
using testing::IOPump;
namespace segmentation = testing::segmentation;

namespace {

using Strings = std::vector<std::string>;

/// Keeps each piece that it gets, and its end.
class Pieces : public AccumulatingProtocol {
public:
    Strings pieces;
    std::function<void(BytesView)> atData;
    int losses = 0;
    void dataReceived(BytesView received) override {
        pieces.emplace_back(received);
        AccumulatingProtocol::dataReceived(received);
        if (atData) atData(received);
    }
    void connectionLost(const Failure& reason) override {
        ++losses;
        AccumulatingProtocol::connectionLost(reason);
    }
};

class HalfClosing : public Pieces, public HalfCloseableProtocol {
public:
    Strings halves;
    void readConnectionLost() override { halves.emplace_back("read"); }
    void writeConnectionLost() override { halves.emplace_back("write"); }
};

template <class Client = Pieces, class Server = Pieces>
struct Pair {
    std::shared_ptr<Client> client = std::make_shared<Client>();
    std::shared_ptr<Server> server = std::make_shared<Server>();
    IOPump pump{client, server};
};

/// Writes so many pieces, as its consumer lets it.
struct Source : Producer {
    Source(Transport& t, std::size_t size, int count) : transport(t), piece(size, 'x'), left(count) {}
    void resumeProducing() override {
        calls += 'r';
        paused = false;
        while (!paused && left > 0) {
            --left;
            transport.write(piece);
            if (pull) break;
        }
        if (left == 0) transport.unregisterProducer();
    }
    void pauseProducing() override {
        calls += 'p';
        paused = true;
    }
    void stopProducing() override {
        calls += 's';
        left = 0;
    }
    Transport& transport;
    std::string piece;
    int left;
    bool pull = false;
    bool paused = false;
    std::string calls;
};

/// Counts errors that are logged, and keeps them off stderr.
struct LoggedErrors {
    int count = 0;
    int observer = log::addObserver([this](const log::Event& event) {
        if (event.level >= log::Level::error) ++count;
    });
    ~LoggedErrors() { log::removeObserver(observer); }
};

}  // namespace

TEST_CASE("an IOPump connects two protocols and moves nothing by itself (TR-1)") {
    Pair p;
    CHECK(p.client->made);
    CHECK(p.server->made);
    CHECK(p.client->transport().getHost() == p.server->transport().getPeer());
    CHECK(p.client->transport().getPeer() == p.server->transport().getHost());
    p.client->transport().write("hello");
    CHECK(p.server->data.empty());
    CHECK(p.pump.flush());
    CHECK(p.server->data == "hello");
    CHECK(!p.pump.flush());
}

TEST_CASE("what is written in callbacks is delivered in later turns, until all is quiet") {
    Pair p;
    p.server->atData = [&](BytesView data) { p.server->transport().write(data); };
    p.client->transport().write("echo");
    p.pump.pump();
    CHECK(p.client->data.empty());
    p.pump.flush();
    CHECK(p.client->data == "echo");
}

TEST_CASE("flush throws when two protocols never come to rest, and tells what goes on (TK-6)") {
    Pair p;
    p.server->atData = [&](BytesView data) { p.server->transport().write(data); };
    p.client->atData = [&](BytesView data) { p.client->transport().write(data); };
    p.client->transport().write(".");
    CHECK_THROWS_AS(p.pump.flush(100), RuntimeError);
    CHECK(p.pump.maxTurns() == 1000);
    CHECK_THROWS_WITH_AS(p.pump.flush(), doctest::Contains("sends 1: ."), RuntimeError);
    p.pump.setMaxTurns(7);
    CHECK_THROWS_WITH_AS(p.pump.flush(), doctest::Contains("after 8 turns"), RuntimeError);
    CHECK_THROWS_AS(p.pump.setMaxTurns(0), ValueError);
}

TEST_CASE("a long message in short segments is no endless one") {
    Pair p;
    p.pump.setSegmentation(segmentation::byteByByte());
    p.server->atData = [&](BytesView data) { p.server->transport().write(data); };
    p.client->transport().write(std::string(5000, 'x'));
    p.pump.flush();
    CHECK(p.client->data.size() == 5000);
}

TEST_CASE("on an unbuffered pump octets leave only when they are read") {
    Pair p;
    p.pump.setUnbuffered();
    p.server->transport().pauseProducing();
    const auto source = std::make_shared<Source>(p.client->transport(), 100, 5);
    p.client->transport().registerProducer(source, true);
    source->resumeProducing();
    p.pump.flush();
    CHECK(source->calls == "rp");  // by the first write already
    CHECK(p.pump.client().bufferedBytes() == 100);
    p.server->transport().resumeProducing();
    p.pump.flush();
    CHECK(p.server->data.size() == 500);
    CHECK(p.pump.client().peakBufferedBytes() == 100);
    CHECK(p.pump.client().sentBytes() == 500);
    CHECK(p.pump.server().deliveredBytes() == 500);
}

TEST_CASE("connectedServerAndClient connects two, and lets them greet (TK-7)") {
    auto [client, server, pump] = testing::connectedServerAndClient<Pieces, Pieces>();
    CHECK(client->made);
    server->transport().write("hello");
    CHECK(client->data.empty());
    pump.flush();
    CHECK(client->data == "hello");
    struct Greets : Pieces {
        void connectionMade() override { transport().write("220"); }
    };
    CHECK(testing::connectedServerAndClient<Greets, Pieces>().client->data == "220");
    CHECK(testing::connectedServerAndClient(std::make_shared<Greets>(), std::make_shared<Pieces>(), testing::Greet::no)
              .client->data.empty());
}

TEST_CASE("deliveries are cut as chosen, and nothing is lost by it") {
    Pair p;
    const auto send = [&] {
        p.server->pieces.clear();
        p.client->transport().write("abc");
        p.pump.pump();
        p.client->transport().write("def");
        p.pump.flush();
        return p.server->pieces;
    };
    CHECK(send() == Strings{"abc", "def"});
    p.pump.setSegmentation(segmentation::byteByByte());
    CHECK(send() == Strings{"a", "b", "c", "d", "e", "f"});
    p.pump.setSegmentation(segmentation::atMost(2));
    CHECK(send() == Strings{"ab", "cd", "ef"});
    p.pump.server().setSegmentation(segmentation::coalesced());
    CHECK(send() == Strings{"abcdef"});
    const auto randomly = [&] {
        p.pump.setSegmentation(segmentation::random(42));
        return send();
    };
    const Strings once = randomly();
    CHECK(randomly() == once);  // the seed says it all
    CHECK_THROWS_AS(segmentation::atMost(0), ValueError);

    Pair q;
    q.pump.setSegmentation(segmentation::random(1));
    const std::string much(300000, 'm');
    q.client->transport().write(much);
    q.pump.flush();
    CHECK(q.server->data == much);
    CHECK(q.server->pieces.size() > 2);
}

TEST_CASE("a view that is kept after dataReceived shows other octets") {
    Pair p;
    BytesView kept;
    p.server->atData = [&](BytesView data) { kept = data; };
    p.client->transport().write("mine");
    p.pump.flush();
    CHECK(kept == "\xDD\xDD\xDD\xDD");
}

TEST_CASE("loseConnection flushes, then closes; both ends get ConnectionDone, once (TR-3, TR-4, TR-6, CL-1)") {
    Pair p;
    p.client->transport().write("last words");
    p.client->transport().loseConnection();
    p.client->transport().loseConnection();
    CHECK(p.client->transport().disconnecting());
    CHECK(!p.client->closed);
    p.server->transport().write("unheard");
    p.pump.flush();
    CHECK(p.server->data == "last words");
    CHECK(p.client->data.empty());  // D24
    CHECK(p.client->closedReason->check<ConnectionDone>());
    CHECK(p.server->closedReason->check<ConnectionDone>());
    CHECK(!p.server->transport().disconnecting());
    p.client->transport().write("silent no-ops");
    p.client->transport().loseConnection();
    p.client->transport().abortConnection();
    p.pump.flush();
    CHECK(p.client->losses == 1);
    CHECK(p.server->losses == 1);
    CHECK(p.client->transport().getPeer() == p.pump.server().getHost());  // TR-16
}

TEST_CASE("loseConnection inside dataReceived stops deliveries at once (TR-3)") {
    Pair p;
    p.pump.setSegmentation(segmentation::byteByByte());
    p.server->atData = [&](BytesView) { p.server->transport().loseConnection(); };
    p.client->transport().write("abc");
    p.pump.flush();
    CHECK(p.server->data == "a");
}

TEST_CASE("abortConnection drops what waits: ConnectionAborted here in a later turn, ConnectionLost there (TR-7)") {
    Pair p;
    p.client->transport().write("dropped");
    p.client->transport().abortConnection();
    p.client->transport().loseConnection();
    CHECK(!p.client->closed);
    p.pump.flush();
    CHECK(p.server->data.empty());
    CHECK(p.client->closedReason->check<ConnectionAborted>());
    CHECK(p.server->closedReason->check<ConnectionLost>());
    CHECK(!p.server->closedReason->check<ConnectionAborted>());

    Pair q;  // in a callback: not in the same turn
    q.server->atData = [&](BytesView) { q.server->transport().abortConnection(); };
    q.client->transport().write("x");
    while (q.server->data.empty()) q.pump.pump();
    CHECK(!q.server->closed);
    q.pump.flush();
    CHECK(q.server->closedReason->check<ConnectionAborted>());
}

TEST_CASE("failConnection sends what waits and gives its reason") {
    Pair p;
    p.client->transport().write("sent");
    p.client->transport().failConnection(TimeoutError());
    p.pump.flush();
    CHECK(p.server->data == "sent");
    CHECK(p.client->closedReason->check<TimeoutError>());
    CHECK(p.server->closedReason->check<ConnectionDone>());
}

TEST_CASE("a peer's FIN drops what waits, unless finishWriting is on (TR-9, D7)") {
    for (const bool finish : {false, true}) {
        Pair p;
        p.pump.client().setWireCapacity(100);
        p.server->transport().as<TCPTransport>().setFinishWriting(finish);
        p.server->transport().write(std::string(1000, 'x'));
        p.client->transport().as<TCPTransport>().loseWriteConnection();
        p.pump.flush();
        CHECK(p.client->data.size() == (finish ? 1000 : 100));
        CHECK(p.server->closedReason->check<ConnectionDone>());
        CHECK(p.client->closedReason->check<ConnectionDone>());
    }
}

TEST_CASE("loseWriteConnection closes one direction after what waits; the other goes on (TR-2, TR-8, TR-9)") {
    Pair<HalfClosing, HalfClosing> p;
    p.client->transport().write("request");
    p.client->transport().as<TCPTransport>().loseWriteConnection();
    p.client->transport().write("!");  // not closed yet
    p.pump.flush();
    CHECK(p.server->data == "request!");
    CHECK(p.client->halves == Strings{"write"});
    CHECK(p.server->halves == Strings{"read"});
    p.client->transport().write("dropped");
    p.server->transport().write("answer");
    p.pump.flush();
    CHECK(p.client->data == "answer");
    CHECK(p.server->data == "request!");
    CHECK(p.client->connected());
    p.server->transport().loseConnection();
    p.pump.flush();
    CHECK(p.client->halves == Strings{"write", "read"});
    CHECK(p.server->closed);
    CHECK(!p.client->closed);  // it must close itself
    p.client->transport().loseConnection();
    p.pump.flush();
    CHECK(p.client->closedReason->check<ConnectionDone>());
}

TEST_CASE("writing to a peer that is gone brings a reset (TR-10)") {
    Pair<HalfClosing, Pieces> p;
    p.server->transport().loseConnection();
    p.pump.flush();
    CHECK(p.client->halves == Strings{"read"});
    p.client->transport().write("anybody?");
    p.pump.flush();
    CHECK(p.client->closedReason->check<ConnectionLost>());
}

TEST_CASE("a paused transport delivers nothing, not even the peer's FIN, but notices a reset (TR-14)") {
    Pair p;
    p.server->transport().pauseProducing();
    p.client->transport().write("wait");
    p.client->transport().loseConnection();
    p.pump.flush();
    CHECK(p.server->data.empty());
    CHECK(!p.server->closed);
    p.server->transport().resumeProducing();
    p.pump.flush();
    CHECK(p.server->data == "wait");
    CHECK(p.server->closed);

    Pair q;
    q.server->transport().pauseProducing();
    q.client->transport().abortConnection();
    q.pump.flush();
    CHECK(q.server->closedReason->check<ConnectionLost>());
}

TEST_CASE("a broken connection is noticed by the end that is told, and by nobody else") {
    Pair p;
    p.pump.client().breakConnection(failureOf<ConnectionLost>());
    CHECK(!p.client->closed);
    p.pump.flush();
    CHECK(p.client->closedReason->check<ConnectionLost>());
    CHECK(!p.server->closed);
    p.server->transport().write("into the void");
    p.pump.flush();
    CHECK(!p.server->closed);
    p.pump.breakConnection(TimeoutError());
    p.pump.flush();
    CHECK(p.server->closedReason->check<TimeoutError>());
    CHECK(p.client->losses == 1);
}

TEST_CASE("an exception costs its connection only, and becomes its reason (TR-13)") {
    const LoggedErrors errors;
    Pair p;
    Pair other;
    p.server->atData = [](BytesView) { throw ValueError("bad data"); };
    p.client->transport().write("x");
    p.pump.flush();
    CHECK(p.server->closedReason->check<ValueError>());
    CHECK(p.client->closedReason->check<ConnectionDone>());
    CHECK(errors.count == 1);
    CHECK(other.client->connected());

    class Throws : public Pieces {
        void connectionMade() override { throw ValueError("not me"); }
    };
    Pair<Pieces, Throws> q;
    q.pump.flush();
    CHECK(q.server->closedReason->check<ValueError>());
    CHECK(q.client->closed);
}

TEST_CASE(
    "a push producer is paused above the high-water mark, inside write, and resumed at the low one (PC-3, PC-4, D23)") {
    Pair p;
    p.server->transport().pauseProducing();
    p.pump.server().setWireCapacity(1000);
    const auto source = std::make_shared<Source>(p.client->transport(), 10000, 20);
    p.client->transport().registerProducer(source, true);
    CHECK_THROWS_AS(p.client->transport().registerProducer(source, true), RuntimeError);  // PC-1
    source->resumeProducing();
    CHECK(source->calls == "rp");
    CHECK(p.pump.client().bufferedBytes() == 70000);
    p.pump.flush();
    CHECK(p.pump.client().bufferedBytes() == 69000);
    p.server->transport().resumeProducing();
    std::size_t least = 70000;
    while (p.pump.pump()) {
        if (source->left > 0 && source->calls.back() == 'p') least = std::min(least, p.pump.client().bufferedBytes());
    }
    CHECK(least <= testing::FakeTransport::kLowWater + 1000);
    CHECK(least > testing::FakeTransport::kLowWater);
    CHECK(p.server->data.size() == 200000);
    CHECK(p.pump.client().producer() == nullptr);
}

TEST_CASE("a pull producer is asked in registerProducer, and then whenever the queue is empty (PC-2)") {
    Pair p;
    const auto source = std::make_shared<Source>(p.client->transport(), 3, 4);
    source->pull = true;
    p.client->transport().registerProducer(source, false);
    CHECK(source->calls == "r");
    p.client->transport().loseConnection();  // waits for the producer (TR-5, D6, PC-6)
    p.pump.flush();
    CHECK(source->calls == "rrrr");
    CHECK(p.server->data.size() == 12);
    CHECK(p.client->closedReason->check<ConnectionDone>());
}

TEST_CASE("the loss stops a producer, before connectionLost; a lost transport stops a new one (PC-1, PC-5, CL-2)") {
    Pair p;
    const auto source = std::make_shared<Source>(p.client->transport(), 1, 1);
    p.client->transport().registerProducer(source, true);
    bool stoppedBefore = false;
    p.client->closedDeferred.emplace().addCallback([&] { stoppedBefore = source->calls == "s"; });
    p.server->transport().abortConnection();
    p.pump.flush();
    CHECK(stoppedBefore);
    const auto late = std::make_shared<Source>(p.client->transport(), 1, 1);
    p.client->transport().registerProducer(late, false);
    CHECK(late->calls == "s");
}

TEST_CASE("the output limit aborts at the write that finds more waiting: limit-1, limit, limit+1 (D25)") {
    for (const std::size_t waiting : {99U, 100U, 101U}) {
        Pair p;
        p.client->transport().as<TCPTransport>().setOutputLimit(100);
        p.client->transport().write(std::string(waiting, 'x'));  // one write always passes
        p.client->transport().write("y");
        p.pump.flush();
        CHECK(p.client->connected() == (waiting <= 100));
        if (waiting > 100) {
            CHECK(p.client->closedReason->check<OutputLimitExceeded>());
        } else {
            CHECK(p.server->data.size() == waiting + 1);
        }
    }
}

TEST_CASE("time passes for both ends when the pump is told so") {
    Pair p;
    p.client->scope().callLater(p.pump.clock(), 5s, [&] { p.client->transport().write("late"); });
    p.pump.flush();
    p.pump.advance(5s);
    CHECK(p.server->data == "late");
    CHECK(p.client->transport().turn().clock().seconds() == 5s);
}

TEST_CASE("the end of a pump gives both protocols ConnectionLost, and lets go of them (CL-3)") {
    std::weak_ptr<Pieces> watch;
    const auto server = std::make_shared<Pieces>();
    {
        const auto client = std::make_shared<Pieces>();
        watch = client;
        const IOPump pump(client, server);
    }
    CHECK(watch.expired());
    CHECK(server->closedReason->check<ConnectionLost>());
    server->transport().write("into the void");
    CHECK(server->transport().getPeer().port() == 54321);
}

TEST_CASE("after connectionLost the transport lets its protocol go at the end of the turn (CL-1)") {
    std::weak_ptr<Pieces> watch;
    auto client = std::make_shared<Pieces>();
    IOPump pump(client, std::make_shared<Pieces>());
    watch = client;
    client->transport().loseConnection();
    client.reset();
    CHECK(!watch.expired());
    pump.flush();
    CHECK(watch.expired());
}

TEST_CASE("a trace tells what happens, and a tap sees the wire") {
    Pair p;
    Strings lines;
    std::string wire;
    p.pump.setTrace([&](const std::string& line) { lines.push_back(line); });
    p.pump.client().setTap([&](BytesView data) { wire += data; });
    p.client->transport().write("hi\r\n\x01");
    p.client->transport().loseConnection();
    p.pump.flush();
    CHECK(lines == Strings{"client sends 5: hi\\r\\n\\x01", "client closes",
                           "client lost: Connection was closed cleanly.",
                           "server lost: Connection was closed cleanly."});
    CHECK(wire == "hi\r\n\x01");
}
