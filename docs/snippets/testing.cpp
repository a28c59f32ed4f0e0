// The programs of docs/testing.md, so that they compile. A test compares the two.

#include <torsion/testing/chunking.hpp>
#include <torsion/testing/connected.hpp>
#include <torsion/testing/doctest.hpp>
#include <torsion/testing/fault_plan.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/results.hpp>
#include <torsion/testing/scripted_transport.hpp>
#include <torsion/testing/seed.hpp>
#include <torsion/testing/string_transport.hpp>
#include <torsion/torsion.hpp>

#include <cerrno>

using namespace torsion;
using namespace std::chrono_literals;

// [protocol]
/// Answers "time" with "now", and hangs up on who says nothing for a minute.
class TimeServer : public LineReceiver {
public:
    explicit TimeServer(ReactorTime& clock) : clock_(clock) {}

    void connectionMade() override {
        idle_ = scope().callLater(clock_, 60s, [this] { transport().loseConnection(); });
    }
    void lineReceived(BytesView line) override {
        idle_.reset(60s);
        if (line == "time") sendLine("now");
    }

private:
    ReactorTime& clock_;
    DelayedCall idle_;
};
// [end]

// [string]
TEST_CASE("the server answers") {
    task::Clock clock;
    auto transport = std::make_shared<testing::StringTransportWithDisconnection>(clock);
    auto server = std::make_shared<TimeServer>(clock);
    transport->setProtocol(server);
    server->makeConnection(transport);

    server->dataReceived("time\r\n");

    CHECK(transport->value() == "now\r\n");
    transport->lose(failureOf<ConnectionDone>());
    clock.advance(0s);
}
// [end]

// [clock]
TEST_CASE("the server hangs up on who says nothing") {
    task::Clock clock;
    auto transport = std::make_shared<testing::StringTransportWithDisconnection>(clock);
    auto server = std::make_shared<TimeServer>(clock);
    transport->setProtocol(server);
    server->makeConnection(transport);

    clock.advance(59s);
    server->dataReceived("time\r\n");
    clock.advance(59s);
    CHECK(!transport->disconnecting());
    clock.advance(1s);
    CHECK(transport->disconnecting());
}
// [end]

// [chunking]
TEST_CASE("the server does not care how its octets come") {
    task::Clock clock;
    testing::checkProtocolChunkingLaw("time\r\nwhat\r\ntime\r\n",
                                      [&](auto) { return std::make_shared<TimeServer>(clock); });
}
// [end]

// [pump]
class TimeClient : public LineReceiver {
public:
    Deferred<Bytes> answer;
    void connectionMade() override { sendLine("time"); }
    void lineReceived(BytesView line) override {
        answer.callback(Bytes(line));
        transport().loseConnection();
    }
};

TEST_CASE("client and server understand each other") {
    auto clock = std::make_shared<task::Clock>();
    auto [client, server, pump] = testing::connectedServerAndClient(
        std::make_shared<TimeServer>(*clock), std::make_shared<TimeClient>(), testing::Greet::no, clock);
    pump.setSegmentation(testing::segmentation::random(testing::printedSeed("segments")));

    pump.flush();

    CHECK(testing::successResultOf(client->answer) == "now");
    CHECK(!server->connected());
}
// [end]

// [unbuffered]
TEST_CASE("the server does not write without end to a peer that does not read") {
    auto clock = std::make_shared<task::Clock>();
    auto [client, server, pump] = testing::connectedServerAndClient(
        std::make_shared<TimeServer>(*clock), std::make_shared<TimeClient>(), testing::Greet::no, clock);
    pump.setUnbuffered();
    client->transport().pauseProducing();

    for (int i = 0; i < 1000; ++i) client->sendLine("time");
    pump.flush();

    CHECK(pump.server().peakBufferedBytes() < 65536);
}
// [end]

// [script]
TEST_CASE("the client asks, and goes") {
    testing::ScriptedTransport script;
    script.expectWrite("time\r\n").thenDeliver("now\r\n").expectClose();
    auto client = std::make_shared<TimeClient>();

    script.connect(client);

    script.verify();
    CHECK(testing::successResultOf(client->answer) == "now");
}
// [end]

// [reactor]
Deferred<Bytes> askForTheTime(Reactor& reactor, std::string host) {
    auto endpoint = endpoints::TCP4ClientEndpoint(reactor, host, 1313, 5s);
    auto client = co_await endpoint.connect(Factory::forProtocol<TimeClient>());
    auto answer = co_await client->answer;
    co_return answer;
}

TEST_CASE("who does not answer is given up") {
    testing::MemoryReactor reactor;
    auto answer = askForTheTime(reactor, "192.0.2.1");
    CHECK(reactor.tcpClients.at(0).port == 1313);

    reactor.advance(4s);
    testing::assertNoResult(answer);
    reactor.advance(1s);

    testing::failureResultOf<TimeoutError>(answer);
}

TEST_CASE("the answer is what the server says") {
    testing::MemoryReactor reactor;
    auto answer = askForTheTime(reactor, "192.0.2.1");

    auto transport = reactor.connectors.at(0)->succeed();
    CHECK(transport->value() == "time\r\n");
    transport->protocol()->dataReceived("now\r\n");

    CHECK(testing::successResultOf(answer) == "now");
}
// [end]

// [coroutine]
TORSION_MEMORY_TEST("the server serves, without a socket") {
    reactor.setLoopback(true);
    auto port = reactor.listenTCP(1313, Factory::forProtocol<TimeServer>(std::ref(reactor)));
    auto answer = co_await askForTheTime(reactor, "127.0.0.1");
    CHECK(answer == "now");
    co_await port->stopListening();
}

TORSION_TEST("nobody serves there") {
    bool refused = false;
    try {
        co_await askForTheTime(reactor, "127.0.0.1");
    } catch (const ConnectionRefusedError&) {
        refused = true;
    }
    CHECK(refused);
}
// [end]

// [logged]
class Fragile : public Protocol {
    void dataReceived(BytesView) override { throw ValueError("I did not expect that"); }
};

TORSION_MEMORY_TEST("a protocol that throws is closed, and that is logged") {
    reactor.setLoopback(true);
    reactor.listenTCP(1313, Factory::forProtocol<Fragile>());
    auto endpoint = endpoints::TCP4ClientEndpoint(reactor, "127.0.0.1", 1313);
    auto client = co_await endpoint.connect(Factory::forProtocol<TimeClient>());
    co_await testing::waitUntilAllDisconnected(reactor, client);
    CHECK(testing::flushLoggedErrors<ValueError>().size() == 1);
    co_await reactor.ports.at(0)->stopListening();
}
// [end]

// [faults]
TORSION_TEST("a reset in the middle of a conversation reaches the caller") {
    testing::FaultPlan plan;
    plan.nth(testing::Call::recv, 2).returns(ECONNRESET);
    plan.shortWrites(testing::printedSeed("short writes"));
    const auto installed = plan.install();
    auto port = reactor.listenTCP(0, Factory::forProtocol<TimeServer>(std::ref(reactor)), 50, "127.0.0.1");
    // ...
    CHECK(plan.faults() <= plan.calls());
    co_await port->stopListening();
}
// [end]
