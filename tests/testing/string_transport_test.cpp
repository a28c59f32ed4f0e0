#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;
using testing::AccumulatingProtocol;
using testing::StringTransport;
using testing::StringTransportWithDisconnection;

namespace {

struct Stopped : PushProducer {
    int stops = 0;
    void pauseProducing() override {}
    void resumeProducing() override {}
    void stopProducing() override { ++stops; }
};

}  // namespace

TEST_CASE("a StringTransport keeps what is written, in order (TR-1) (TK-1)") {
    StringTransport transport;
    transport.write("a");
    transport.write(Bytes("b"));
    const BytesView pieces[] = {"c", "d"};
    transport.writeSequence(pieces);
    CHECK(transport.value() == "abcd");
    CHECK(transport.writes() == 4);
    CHECK(transport.bufferedBytes() == 4);
    transport.clear();
    CHECK(transport.value().empty());
    transport.loseWriteConnection();
    CHECK(transport.writeClosed());
    transport.write("x");
    CHECK(transport.value().empty());
}

TEST_CASE("a StringTransport has the addresses of Twisted's, or those that it is given (TK-1)") {
    StringTransport transport;
    CHECK(transport.getHost() == IPv4Address("10.0.0.1", 12345));
    CHECK(transport.getPeer() == IPv4Address("192.168.1.1", 54321));
    transport.setHost(IPv6Address("::1", 1));
    transport.setPeer(HostnameAddress("example.com", 2));
    CHECK(transport.getHost() == IPv6Address("::1", 1));
    CHECK(transport.getPeer() == HostnameAddress("example.com", 2));
}

TEST_CASE("a StringTransport tells how it was closed, and is not lost by that") {
    StringTransport closed;
    CHECK(!closed.disconnecting());
    closed.loseConnection();
    CHECK(closed.disconnecting());
    CHECK(!closed.aborted());
    CHECK(closed.connected());

    StringTransport aborted;
    aborted.abortConnection();
    CHECK(aborted.disconnecting());
    CHECK(aborted.aborted());

    StringTransport failed;
    failed.failConnection(TimeoutError());
    failed.failConnection(ConnectionDone());
    CHECK(failed.disconnecting());
    CHECK(failed.failure()->check<TimeoutError>());
}

TEST_CASE("a StringTransport follows its part as a producer, and refuses what makes no sense (TK-2)") {
    StringTransport transport;
    CHECK(transport.producerState() == StringTransport::ProducerState::producing);
    transport.pauseProducing();
    CHECK(transport.producerState() == StringTransport::ProducerState::paused);
    transport.resumeProducing();
    CHECK(transport.producerState() == StringTransport::ProducerState::producing);
    transport.loseConnection();
    CHECK_THROWS_AS(transport.resumeProducing(), RuntimeError);
    transport.setLenient(true);
    transport.resumeProducing();
    transport.stopProducing();
    CHECK(transport.producerState() == StringTransport::ProducerState::stopped);
    CHECK_THROWS_AS(transport.pauseProducing(), RuntimeError);
}

TEST_CASE("a StringTransport takes one producer at a time (PC-1)") {
    StringTransport transport;
    const auto producer = std::make_shared<Stopped>();
    transport.registerProducer(producer, true);
    CHECK(transport.producer() == producer);
    CHECK(transport.streaming());
    CHECK_THROWS_AS(transport.registerProducer(producer, false), RuntimeError);
    transport.unregisterProducer();
    transport.unregisterProducer();
    transport.registerProducer(producer, false);
    CHECK(!transport.streaming());
}

TEST_CASE("a StringTransport is a TCPTransport that keeps its settings") {
    StringTransport transport;
    auto& tcp = transport.as<TCPTransport>();
    tcp.setTcpNoDelay(true);
    tcp.setTcpKeepAlive(true);
    tcp.setFinishWriting(true);
    tcp.setOutputLimit(10);
    CHECK(tcp.getTcpNoDelay());
    CHECK(tcp.getTcpKeepAlive());
    CHECK(transport.finishWriting());
    CHECK(transport.outputLimit() == 10);
    CHECK_THROWS_AS(transport.as<SSLTransport>(), TypeError);
}

TEST_CASE(
    "a StringTransportWithDisconnection delivers the loss once, in the next turn, after stopProducing (CL-1, CL-2, "
    "PC-5, TK-3)") {
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    const auto transport = std::make_shared<StringTransportWithDisconnection>();
    const auto producer = std::make_shared<Stopped>();
    transport->setProtocol(protocol);
    protocol->makeConnection(transport);
    transport->registerProducer(producer, true);
    SUBCASE("loseConnection") {
        protocol->transport().loseConnection();
        CHECK(!protocol->closed);  // never from inside the call (TR-4)
        transport->clock().advance({});
        CHECK(protocol->closedReason->check<ConnectionDone>());
    }
    SUBCASE("abortConnection") {
        protocol->transport().abortConnection();
        protocol->transport().loseConnection();
        transport->clock().advance({});
        CHECK(protocol->closedReason->check<ConnectionAborted>());
    }
    SUBCASE("failConnection") {
        protocol->transport().failConnection(TimeoutError());
        transport->clock().advance({});
        CHECK(protocol->closedReason->check<TimeoutError>());
    }
    SUBCASE("the peer") {
        transport->lose(failureOf<ConnectionLost>());
        transport->clock().advance({});
        CHECK(protocol->closedReason->check<ConnectionLost>());
        CHECK(!transport->disconnecting());
    }
    CHECK(!transport->connected());
    CHECK(producer->stops == 1);
    protocol->closed = false;
    transport->loseConnection();
    transport->clock().advance({});
    CHECK(!protocol->closed);
    transport->write("ignored");
    CHECK(transport->value().empty());
    const auto late = std::make_shared<Stopped>();
    transport->registerProducer(late, true);
    CHECK(late->stops == 1);
}

TEST_CASE("an AccumulatingProtocol collects what happens, and fires its Deferreds (TK-4)") {
    task::Clock clock;
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    const auto transport = std::make_shared<StringTransportWithDisconnection>(clock);
    transport->setProtocol(protocol);
    std::vector<std::string> fired;
    protocol->madeDeferred.emplace().addCallback([&] { fired.emplace_back("made"); });
    protocol->closedDeferred.emplace().addCallback([&] { fired.emplace_back("closed"); });
    protocol->makeConnection(transport);
    CHECK(protocol->made);
    protocol->dataReceived("ab");
    protocol->dataReceived("c");
    CHECK(protocol->data == "abc");
    CHECK(fired == std::vector<std::string>{"made"});
    transport->loseConnection();
    clock.advance({});
    CHECK(protocol->closed);
    CHECK(fired == std::vector<std::string>{"made", "closed"});
}
