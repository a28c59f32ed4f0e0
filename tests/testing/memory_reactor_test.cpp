#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/threads.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/results.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::AccumulatingProtocol;
using testing::MemoryReactor;
using testing::RaisingMemoryReactor;

namespace {

/// Notes what it is told, in one string.
class NotingFactory : public ClientFactory {
public:
    explicit NotingFactory(std::shared_ptr<Protocol> protocol = std::make_shared<AccumulatingProtocol>())
        : protocol_(std::move(protocol)), refuses_(!protocol_) {}
    std::string text;
    bool again = false;
    std::function<void(Connector&)> onStarted;
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        text += "build ";
        if (refuses_) return nullptr;
        // Given away: a protocol holds its factory, and a factory that held it would never end.
        return protocol_ ? std::exchange(protocol_, nullptr) : std::make_shared<AccumulatingProtocol>();
    }
    void startFactory() override { text += "start "; }
    void stopFactory() override { text += "stop "; }
    void startedConnecting(Connector& connector) override {
        text += "connecting ";
        if (onStarted) onStarted(connector);
    }
    void protocolConnected(const std::shared_ptr<Protocol>&, const Failure* raised) override {
        text += raised == nullptr ? "connected " : "raised ";
    }
    void clientConnectionFailed(Connector& connector, const Failure& reason) override {
        text += "failed:" + reason.typeName().substr(9) + ' ';
        if (std::exchange(again, false)) connector.connect();
    }
    void clientConnectionLost(Connector&, const Failure& reason) override {
        text += "lost:" + reason.typeName().substr(9) + ' ';
    }

private:
    std::shared_ptr<Protocol> protocol_;
    bool refuses_;
};

class Echo : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

class Throws : public Protocol {
    void connectionMade() override { throw ValueError("not today"); }
};

struct Listener final : DescriptorListener {
    std::string text;
    void readable() override { text += 'r'; }
    void writable() override { text += 'w'; }
    void reactorGone(const Failure&) override { text += 'g'; }
};

}  // namespace

TEST_CASE("a MemoryReactor remembers who is to be served and connected (TK-8)") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<NotingFactory>();
    factory->noisy = false;
    const ssl::CertificateOptions serverOptions(ssl::test::exampleCertificate());
    const auto clientOptions = ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    reactor.listenTCP(80, factory, 7, "127.0.0.1");
    reactor.listenSSL(443, factory, serverOptions);
    reactor.listenUNIX("/run/service", factory, 5, 0600, true);
    reactor.adoptStreamPort(9, Address::Kind::ipv4, factory);
    reactor.adoptStreamConnection(10, Address::Kind::ipv6, factory);
    reactor.connectTCP("example.com", 80, factory, 3s, IPv4Address("127.0.0.2", 0));
    reactor.connectSSL("192.0.2.1", 443, factory, clientOptions);
    reactor.connectUNIX("/run/other", factory, 4s, true);

    CHECK(reactor.tcpServers.at(0).port == 80);
    CHECK(reactor.tcpServers.at(0).backlog == 7);
    CHECK(reactor.tcpServers.at(0).interface == "127.0.0.1");
    CHECK(reactor.tcpServers.at(0).factory == factory);
    CHECK(reactor.tcpServers.at(0).listening->getHost() == IPv4Address("127.0.0.1", 80));
    CHECK(reactor.sslServers.at(0).options != nullptr);
    CHECK(reactor.unixServers.at(0).path == "/run/service");
    CHECK(reactor.unixServers.at(0).mode == 0600);
    CHECK(reactor.unixServers.at(0).wantPID);
    CHECK(reactor.adoptedPorts.at(0).fileDescriptor == 9);
    CHECK(reactor.adoptedStreamConnections.at(0).addressFamily == Address::Kind::ipv6);
    CHECK(reactor.tcpClients.at(0).host == "example.com");
    CHECK(reactor.tcpClients.at(0).timeout == 3s);
    CHECK(reactor.tcpClients.at(0).bindAddress == IPv4Address("127.0.0.2", 0));
    CHECK(reactor.sslClients.at(0).options != nullptr);
    CHECK(reactor.sslClients.at(0).connector->getDestination() == IPv4Address("192.0.2.1", 443));
    CHECK(reactor.unixClients.at(0).path == "/run/other");
    CHECK(reactor.unixClients.at(0).checkPID);
    CHECK(reactor.connectors.size() == 3);
    CHECK(reactor.ports.size() == 4);
    CHECK_THROWS_AS(reactor.listenTCP(70000, factory), ValueError);
    CHECK_THROWS_AS(reactor.connectTCP("x", -1, factory), ValueError);
}

TEST_CASE("port 0 is given a number, each time another one") {
    MemoryReactor reactor;
    const auto factory = Factory::forProtocol<Echo>();
    const auto first = reactor.listenTCP(0, factory);
    const auto second = reactor.listenTCP(0, factory);
    CHECK(first->getHost().port() != 0);
    CHECK(first->getHost() != second->getHost());
}

TEST_CASE("the test decides how an attempt ends, and the factory hears of it as from a socket (TK-9)") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<NotingFactory>();
    factory->noisy = false;
    SUBCASE("it succeeds, and the connection is lost") {
        reactor.connectTCP("example.com", 80, factory);
        const auto transport = reactor.connectors.at(0)->succeed();
        CHECK(reactor.connectors.at(0)->state() == Connector::State::connected);
        CHECK(transport->getPeer() == HostnameAddress("example.com", 80));
        transport->protocol()->transport().write("hello");
        CHECK(transport->value() == "hello");
        reactor.connectors.at(0)->lose();
        CHECK(factory->text == "start connecting build connected ");  // in the next turn
        reactor.flush();
        CHECK(factory->text == "start connecting build connected lost:ConnectionLost stop ");
        CHECK_THROWS_AS(reactor.connectors.at(0)->lose(), RuntimeError);
    }
    SUBCASE("it succeeds, and disconnect closes") {
        reactor.connectTCP("example.com", 80, factory);
        reactor.connectors.at(0)->succeed();
        reactor.connectors.at(0)->disconnect();
        reactor.flush();
        CHECK(factory->text == "start connecting build connected lost:ConnectionDone stop ");
    }
    SUBCASE("it fails") {
        reactor.connectTCP("example.com", 80, factory);
        reactor.connectors.at(0)->fail(NoRouteError());
        CHECK(factory->text == "start connecting failed:NoRouteError stop ");
        CHECK_THROWS_AS(reactor.connectors.at(0)->fail(), RuntimeError);
        CHECK_THROWS_AS(reactor.connectors.at(0)->succeed(), RuntimeError);
    }
    SUBCASE("it fails, and the factory tries again") {
        factory->again = true;
        reactor.connectTCP("example.com", 80, factory);
        reactor.connectors.at(0)->fail();
        CHECK(reactor.connectors.at(0)->attempts() == 2);
        CHECK(factory->text == "start connecting failed:ConnectionRefusedError connecting ");
    }
    SUBCASE("nothing happens until the timeout") {
        reactor.connectTCP("example.com", 80, factory, 3s);
        reactor.advance(2999ms);
        CHECK(factory->text == "start connecting ");
        reactor.advance(1ms);
        CHECK(factory->text == "start connecting failed:TimeoutError stop ");
    }
    SUBCASE("it is given up") {
        reactor.connectTCP("example.com", 80, factory);
        reactor.connectors.at(0)->stopConnecting();
        CHECK(reactor.connectors.at(0)->stops() == 1);
        CHECK(factory->text == "start connecting ");
        reactor.flush();
        CHECK(factory->text == "start connecting failed:UserError stop ");
        CHECK_THROWS_AS(reactor.connectors.at(0)->stopConnecting(), NotConnectingError);
    }
    SUBCASE("the factory builds no protocol") {
        const auto refusing = std::make_shared<NotingFactory>(nullptr);
        refusing->noisy = false;
        reactor.connectTCP("example.com", 80, refusing);
        CHECK(reactor.connectors.at(0)->succeed() == nullptr);
        reactor.flush();
        CHECK(refusing->text == "start connecting build lost:ConnectionDone stop ");
    }
    SUBCASE("connectionMade throws") {
        testing::LoggedErrors errors;
        const auto throwing = std::make_shared<NotingFactory>(std::make_shared<Throws>());
        throwing->noisy = false;
        reactor.connectTCP("example.com", 80, throwing);
        reactor.connectors.at(0)->succeed();
        reactor.flush();
        CHECK(throwing->text == "start connecting build raised lost:ValueError stop ");
        CHECK(errors.flush<ValueError>().size() == 1);
    }
}

TEST_CASE("somebody connects to a port when the test says so") {
    MemoryReactor reactor;
    const auto port = reactor.listenTCP(80, Factory::forProtocol<Echo>());
    const auto transport = reactor.ports.at(0)->accept(IPv4Address("192.0.2.7", 999));
    CHECK(transport->getPeer() == IPv4Address("192.0.2.7", 999));
    transport->protocol()->dataReceived("hello");
    CHECK(transport->value() == "hello");
    CHECK(reactor.ports.at(0)->connections() == 1);
    const auto stopped = port->stopListening();
    testing::assertNoResult(stopped);
    reactor.flush();
    testing::successResultOf(stopped);
    CHECK_THROWS_AS(reactor.ports.at(0)->accept(), RuntimeError);
    CHECK(transport->protocol()->connected());  // connections stay
    transport->lose(failureOf<ConnectionDone>());
    reactor.flush();
    CHECK(reactor.ports.at(0)->connections() == 0);
}

TEST_CASE("succeedOnce and failOnce complete the oldest attempt (TK-10)") {
    MemoryReactor reactor;
    const auto client = std::make_shared<AccumulatingProtocol>();
    const auto factory = std::make_shared<NotingFactory>(client);
    factory->noisy = false;
    CHECK_THROWS_AS(reactor.succeedOnce(), RuntimeError);
    CHECK_THROWS_AS(reactor.failOnce(), RuntimeError);
    reactor.connectTCP("first", 1, factory);
    reactor.connectTCP("second", 2, factory);
    reactor.failOnce(NoRouteError());
    reactor.listenTCP(2, Factory::forProtocol<Echo>());
    const auto pump = reactor.succeedOnce();
    client->transport().write("echo");
    pump->flush();
    CHECK(client->data == "echo");
    client->transport().loseConnection();
    reactor.flush();
    CHECK(client->closedReason->check<ConnectionDone>());
    CHECK(factory->text == "start connecting connecting failed:NoRouteError build connected lost:ConnectionDone stop ");
    CHECK(reactor.connectors.at(1)->state() == Connector::State::disconnected);
}

TEST_CASE("the loopback connects attempts to the reactor's own ports, and refuses others") {
    MemoryReactor reactor;
    reactor.setLoopback(true);
    reactor.setSegmentation(testing::segmentation::byteByByte());
    const auto client = std::make_shared<AccumulatingProtocol>();
    const auto factory = std::make_shared<NotingFactory>(client);
    factory->noisy = false;
    reactor.listenUNIX("/echo", Factory::forProtocol<Echo>());
    reactor.connectUNIX("/echo", factory);
    reactor.flush();
    client->transport().write("over a path");
    reactor.flush();
    CHECK(client->data == "over a path");
    reactor.connectTCP("nobody", 99, factory);
    reactor.flush();
    CHECK(factory->text.find("failed:ConnectionRefusedError") != std::string::npos);
}

TEST_CASE("an attempt that was given up is not connected by the loopback, nor as the oldest (TK-10)") {
    MemoryReactor reactor;
    reactor.listenTCP(80, Factory::forProtocol<Echo>());
    const auto factory = std::make_shared<NotingFactory>();
    factory->noisy = false;
    std::string failed = "UserError";
    testing::LoggedErrors errors;
    const auto begin = [&] {
        const auto connector = reactor.connectTCP("127.0.0.1", 80, factory);
        if (!factory->onStarted) connector->stopConnecting();
    };
    SUBCASE("stopped") {}
    SUBCASE("startedConnecting threw") {
        factory->onStarted = [](Connector&) { throw ValueError("not today"); };
        failed = "ValueError";
    }
    SUBCASE("startedConnecting gave it up, and threw") {
        factory->onStarted = [](Connector& connector) {
            connector.stopConnecting();
            throw ValueError("not today");
        };
    }
    begin();
    CHECK_THROWS_AS(reactor.succeedOnce(), RuntimeError);
    CHECK_THROWS_AS(reactor.failOnce(), RuntimeError);
    reactor.setLoopback(true);
    reactor.flush();
    CHECK(factory->text == "start connecting failed:" + failed + " stop ");
    CHECK(reactor.leftBehind().size() == 1);  // the port
    // It may begin anew, and then it succeeds.
    factory->onStarted = nullptr;
    factory->text.clear();
    reactor.connectors.at(0)->connect();
    reactor.flush();
    CHECK(factory->text == "start connecting build connected ");
    errors.flush<ValueError>();
}

TEST_CASE("what cannot be begun is refused before a factory is started, as with sockets") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<NotingFactory>();
    CHECK_THROWS_AS(reactor.connectTCP("127.0.0.1", 80, factory, -1s), ValueError);
    CHECK(reactor.connectors.empty());
    CHECK(factory->text.empty());
    CHECK_THROWS_AS(reactor.adoptStreamConnection(3, Address::Kind::ipv4, nullptr), ValueError);
    CHECK(reactor.adoptedStreamConnections.empty());
}

TEST_CASE("run calls what waits for it, passes turns, and stops by itself (TK-11)") {
    MemoryReactor reactor;
    std::string text;
    reactor.callWhenRunning([&] { text += "running "; });
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
        text += "before ";
        return Deferred<void>(defer::succeed());
    });
    const auto removed = reactor.addSystemEventTrigger(SystemEventPhase::after, "shutdown", [&] {
        text += "never ";
        return Deferred<void>(defer::succeed());
    });
    CHECK(reactor.triggers().size() == 3);
    CHECK(reactor.triggers().at(1).event == "shutdown");
    CHECK(reactor.triggers().at(1).phase == SystemEventPhase::before);
    reactor.removeSystemEventTrigger(removed);
    CHECK_THROWS_AS(reactor.removeSystemEventTrigger(removed), ValueError);
    reactor.callLater(0s, [&] { text += "now "; });
    reactor.callLater(1s, [&] { text += "later "; });
    CHECK(!reactor.running());
    CHECK(!reactor.hasRun());
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    reactor.run();
    CHECK(text == "running now before ");
    CHECK(reactor.hasRun());
    CHECK(!reactor.running());
    CHECK(reactor.triggers().empty());
    reactor.callWhenRunning([&] { text += "again "; });
    reactor.run();
    CHECK(text == "running now before again ");
}

TEST_CASE("stop is the end of connections and attempts, in the next turn (CL-3)") {
    MemoryReactor reactor;
    const auto client = std::make_shared<AccumulatingProtocol>();
    const auto factory = std::make_shared<NotingFactory>(client);
    factory->noisy = false;
    reactor.start();
    CHECK_THROWS_AS(reactor.run(), ReactorAlreadyRunning);
    reactor.connectTCP("first", 1, factory);
    reactor.connectors.at(0)->succeed();
    reactor.connectTCP("second", 2, factory);
    const Deferred<void> wait;
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [wait] { return wait; });
    reactor.stop();
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    reactor.flush();
    CHECK(reactor.running());  // somebody is waited for
    wait.callback();
    reactor.flush();
    CHECK(!reactor.running());
    CHECK(client->closedReason->check<ConnectionLost>());
    CHECK(factory->text.find("failed:ConnectionLost") != std::string::npos);
}

TEST_CASE("time stands still until it is moved, and moves by steps (TK-5)") {
    MemoryReactor reactor;
    std::string text;
    reactor.callLater(2s, [&] { text += "two "; });
    reactor.callLater(1s, [&] {
        text += "one ";
        reactor.callLater(1s, [&] { text += "more "; });
    });
    CHECK(reactor.nextTimer() == 1s);
    CHECK(reactor.getDelayedCalls().size() == 2);
    reactor.pump({1s, 999ms});
    CHECK(text == "one ");
    reactor.advance(1ms);
    CHECK(text == "one two more ");
    CHECK(reactor.seconds() == 2s);
    CHECK_THROWS_AS(reactor.callLater(-1s, [] {}), ValueError);
}

TEST_CASE("what other threads post runs in the next turn, in order; callInThread stays on this one (TH-1) (TP-6)") {
    MemoryReactor reactor;
    std::string text;
    std::thread([&] { reactor.callFromThread([&] { text += "a"; }); }).join();
    reactor.callFromThread([&] {
        text += "b";
        reactor.callFromThread([&] { text += "c"; });
    });
    CHECK(text.empty());
    reactor.passTurn();
    CHECK(text == "ab");
    reactor.flush();
    CHECK(text == "abc");
    const auto result = threads::deferToThread(reactor, [] { return std::this_thread::get_id(); });
    testing::assertNoResult(result);
    reactor.flush();
    CHECK(testing::successResultOf(result) == std::this_thread::get_id());
}

TEST_CASE("a descriptor is ready when the test says so, and only for what is wanted (TK-12)") {
    Listener listener;
    {
        MemoryReactor reactor;
        const auto watch = reactor.watch(5, listener);
        watch->setReading(true);
        CHECK(reactor.readers() == std::vector<int>{5});
        CHECK(reactor.writers().empty());
        reactor.makeReadable(5);
        reactor.makeWritable(5);
        reactor.makeReadable(6);
        watch->setWriting(true);
        reactor.makeWritable(5);
        CHECK(listener.text == "rw");
        CHECK(reactor.leftBehind() == std::vector<std::string>{"interest in descriptor 5"});
        auto other = reactor.watch(7, listener);
        other.reset();
        CHECK(reactor.readers() == std::vector<int>{5});
        reactor.clear();
        CHECK(listener.text == "rwg");
    }
}

TEST_CASE("names are looked up in a table, or when the test says so") {
    MemoryReactor reactor;
    auto& table = reactor.memoryResolver();
    table.names["example.com"] = {"192.0.2.1", "2001:db8::1"};
    const auto found = testing::successResultOf(reactor.nameResolver().resolveHostName("example.com", 80));
    CHECK(found == std::vector<Address>{IPv4Address("192.0.2.1", 80), IPv6Address("2001:db8::1", 80)});
    testing::failureResultOf<DNSLookupError>(reactor.nameResolver().resolveHostName("nobody", 80));
    CHECK(testing::successResultOf(reactor.nameResolver().resolveHostName("::1", 1)).size() == 1);
    table.open = true;
    const auto waiting = reactor.nameResolver().resolveHostName("example.com", 80);
    testing::assertNoResult(waiting);
    table.pending.at(0).callback({});
    CHECK(testing::successResultOf(waiting).empty());
    CHECK(table.lookups.size() == 4);
    const auto mine = std::make_shared<testing::MemoryResolver>();
    reactor.installNameResolver(mine);
    CHECK(&reactor.nameResolver() == mine.get());
    CHECK_THROWS_AS(reactor.installNameResolver(nullptr), ValueError);
}

TEST_CASE("a RaisingMemoryReactor cannot listen or connect (TK-14)") {
    const auto factory = std::make_shared<NotingFactory>();
    factory->noisy = false;
    RaisingMemoryReactor deaf(Failure(CannotListenError("", 80, 98)));
    CHECK_THROWS_AS(deaf.listenTCP(80, factory), CannotListenError);
    CHECK_THROWS_AS(deaf.listenUNIX("/x", factory), CannotListenError);
    CHECK_THROWS_AS(deaf.adoptStreamPort(3, Address::Kind::ipv4, factory), CannotListenError);
    deaf.connectTCP("x", 1, factory);
    RaisingMemoryReactor mute(std::nullopt, Failure(ConnectBindError("no")));
    mute.listenTCP(80, factory);
    CHECK_THROWS_AS(mute.connectTCP("x", 1, factory), ConnectBindError);
    CHECK_THROWS_AS(mute.connectUNIX("/x", factory), ConnectBindError);
    CHECK(mute.connectors.empty());
}

TEST_CASE("the end of a MemoryReactor is told to everybody, also to who begins anew") {
    const auto client = std::make_shared<AccumulatingProtocol>();
    const auto factory = std::make_shared<NotingFactory>(client);
    factory->noisy = false;
    factory->again = true;
    std::weak_ptr<Protocol> accepted;
    bool ran = false;
    {
        MemoryReactor reactor;
        reactor.connectTCP("first", 1, factory);
        reactor.connectors.at(0)->succeed();
        reactor.connectTCP("second", 2, factory);
        reactor.listenTCP(80, Factory::forProtocol<Echo>());
        accepted = reactor.ports.at(0)->accept()->protocol();
        reactor.callLater(0s, [&] { ran = true; });
        reactor.callFromThread([&] { ran = true; });
        CHECK(reactor.leftBehind().size() == 7);  // two timers, a call, a port and its connection, two attempts
    }
    CHECK(client->closedReason->check<ConnectionLost>());
    CHECK(accepted.expired());
    CHECK(!ran);
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("a reactor that never comes to rest says so") {
    MemoryReactor reactor;
    std::function<void()> again = [&] { reactor.turn().later([&again] { again(); }); };
    again();
    CHECK_THROWS_WITH_AS(reactor.flush(), doctest::Contains("after 100000 turns"), RuntimeError);
}
