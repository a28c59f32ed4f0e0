#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::StringTransport;
using testing::StringTransportWithDisconnection;

namespace {

using Strings = std::vector<std::string>;

class Recorder : public Protocol {
public:
    Strings events;
    bool throwAtLoss = false;
    bool connectedWhenMade = false;
    bool connectedWhenLost = true;
    bool timerWhenLost = false;
    DelayedCall timer;

    void connectionMade() override {
        connectedWhenMade = connected();
        events.emplace_back("made");
        transport().write("greeting");
    }
    void dataReceived(BytesView data) override { events.push_back("data " + std::string(data)); }
    void connectionLost(const Failure& reason) override {
        connectedWhenLost = connected();
        timerWhenLost = timer.active();
        events.push_back("lost " + reason.typeName());
        if (throwAtLoss) throw ValueError("in connectionLost");
    }
};

}  // namespace

TEST_CASE("callbacks come in the order made, data, lost; the transport is there at the first (CL-1) (PF-1)") {
    const auto protocol = std::make_shared<Recorder>();
    const auto transport = std::make_shared<StringTransportWithDisconnection>();
    transport->setProtocol(protocol);
    CHECK(!protocol->connected());
    protocol->makeConnection(transport);
    CHECK(protocol->connectedWhenMade);
    CHECK(transport->value() == "greeting");
    CHECK(&protocol->transport() == transport.get());
    CHECK(protocol->transportHandle() == transport);
    protocol->dataReceived("x");
    protocol->transport().loseConnection();
    transport->clock().advance({});
    CHECK(!protocol->connected());
    CHECK(!protocol->connectedWhenLost);
    CHECK(protocol->events == Strings{"made", "data x", "lost torsion::ConnectionDone"});
}

TEST_CASE("before makeConnection the transport's methods throw NotConnected") {
    const auto protocol = std::make_shared<Recorder>();
    Transport& transport = protocol->transport();
    CHECK_THROWS_AS(transport.write("x"), NotConnected);
    CHECK_THROWS_AS(transport.write(Bytes("x")), NotConnected);
    const BytesView pieces[] = {"a"};
    CHECK_THROWS_AS(transport.writeSequence(pieces), NotConnected);
    CHECK_THROWS_AS(transport.loseConnection(), NotConnected);
    CHECK_THROWS_AS(transport.abortConnection(), NotConnected);
    CHECK_THROWS_AS(transport.failConnection(ConnectionDone()), NotConnected);
    CHECK_THROWS_AS(transport.getPeer(), NotConnected);
    CHECK_THROWS_AS(transport.getHost(), NotConnected);
    CHECK_THROWS_AS(transport.turn(), NotConnected);
    CHECK_THROWS_AS(transport.registerProducer(nullptr, true), NotConnected);
    CHECK_THROWS_AS(transport.unregisterProducer(), NotConnected);
    CHECK_THROWS_AS(transport.pauseProducing(), RuntimeError);
    CHECK_THROWS_AS(transport.resumeProducing(), RuntimeError);
    CHECK_THROWS_AS(transport.stopProducing(), RuntimeError);
    CHECK(!transport.disconnecting());
    CHECK(transport.query<TCPTransport>() == nullptr);
    CHECK_THROWS_AS(transport.as<TCPTransport>(), TypeError);
    CHECK(&transport == &std::make_shared<Recorder>()->transport());  // one for all
}

TEST_CASE("connectionLost is delivered once, and never before connectionMade (CL-1)") {
    const auto protocol = std::make_shared<Recorder>();
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(protocol->events.empty());
    protocol->makeConnection(std::make_shared<StringTransport>());
    protocol->deliverConnectionLost(failureOf<ConnectionLost>());
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(protocol->events == Strings{"made", "lost torsion::ConnectionLost"});
}

TEST_CASE("after the loss a protocol keeps its transport, whose addresses stay readable (TR-16)") {
    const auto protocol = std::make_shared<Recorder>();
    protocol->makeConnection(std::make_shared<StringTransport>());
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(protocol->transport().getPeer().port() == 54321);
}

TEST_CASE(
    "an exception from connectionLost is logged and contained; the scope is cancelled all the same (TR-13, CL-1)") {
    Strings logged;
    const int observer = log::addObserver([&](const log::Event& event) {
        logged.push_back(std::string(event.text) + ": " + event.failure->getErrorMessage());
    });
    task::Clock clock;
    const auto protocol = std::make_shared<Recorder>();
    protocol->throwAtLoss = true;
    protocol->makeConnection(std::make_shared<StringTransport>(clock));
    protocol->timer = protocol->scope().callLater(clock, 1s, [] { FAIL("the connection is gone"); });
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    log::removeObserver(observer);
    CHECK(logged == Strings{"in connectionLost: in connectionLost"});
    CHECK(protocol->timerWhenLost);  // cancelled right after the callback
    CHECK(!protocol->timer.active());
    clock.advance(1s);
}

TEST_CASE("a protocol stays alive during the delivery of its loss (CL-1)") {
    class LetsGo : public Protocol {
    public:
        std::shared_ptr<Protocol>* last = nullptr;
        std::string text = "still here";
        bool* fine = nullptr;
        void connectionLost(const Failure&) override {
            last->reset();
            *fine = text == "still here";
        }
    };
    auto protocol = std::make_shared<LetsGo>();
    bool fine = false;
    std::shared_ptr<Protocol> last = protocol;
    protocol->last = &last;
    protocol->fine = &fine;
    protocol->makeConnection(std::make_shared<StringTransport>());
    LetsGo* const raw = protocol.get();
    protocol.reset();
    raw->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(fine);
    CHECK(last == nullptr);
}

TEST_CASE("a base protocol takes everything, and has nothing unprocessed") {
    const auto protocol = std::make_shared<Protocol>();
    protocol->makeConnection(std::make_shared<StringTransport>());
    protocol->dataReceived("ignored");
    CHECK(protocol->takeUnprocessed().empty());
    CHECK(protocol->wrapped() == nullptr);
    CHECK(protocol->factory() == nullptr);
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
}

TEST_CASE("abilities of a protocol are found by provides (IF-1)") {
    class Listening : public Protocol, public HandshakeListener {
        void handshakeCompleted() override {}
    };
    CHECK(std::make_shared<Listening>()->provides<HandshakeListener>() != nullptr);
    CHECK(std::make_shared<Listening>()->provides<HalfCloseableProtocol>() == nullptr);
}

TEST_CASE("abilities of a transport are found by query, and as() names what is missing and every layer asked (IF-2)") {
    StringTransport transport;
    CHECK(transport.query<TCPTransport>() == &transport);
    CHECK(transport.query<TLSTransport>() == nullptr);
    std::string text;
    try {
        transport.as<TLSTransport>();
    } catch (const TypeError& error) {
        text = error.what();
    }
    CHECK(text.find("TLSTransport") != std::string::npos);
    CHECK(text.find("StringTransport") != std::string::npos);
}
