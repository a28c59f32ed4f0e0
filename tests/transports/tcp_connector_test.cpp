// Attempts to connect that end in unusual ways: with their reactor, from inside the factory, or with a factory that
// throws.

#include <torsion/core/defer.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_resolver.hpp>
#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Answers when the test does.
auto openResolver() {
    auto resolver = std::make_shared<testing::MemoryResolver>();
    resolver->open = true;
    return resolver;
}

/// A server that takes one connection.
struct Peer {
    explicit Peer(LibeventReactor& reactor)
        : port(reactor.listenTCP(0, std::make_shared<OneShotFactory>(actor), 50, "127.0.0.1")) {}
    int number() const { return port->getHost().port(); }
    std::shared_ptr<Actor> actor = std::make_shared<Actor>();
    std::shared_ptr<ListeningPort> port;
};

/// Connects again at once, whatever happens.
class StubbornFactory : public OneShotFactory {
public:
    using OneShotFactory::OneShotFactory;
    void clientConnectionLost(Connector& connector, const Failure&) override { again(connector); }
    void clientConnectionFailed(Connector& connector, const Failure&) override { again(connector); }
    int attempts = 0;

private:
    void again(Connector& connector) {
        REQUIRE(++attempts < 100);
        connector.connect();
    }
};

/// Gives up its connection from inside buildProtocol.
class FickleFactory : public OneShotFactory {
public:
    using OneShotFactory::OneShotFactory;
    void startedConnecting(Connector& connector) override { connector_ = &connector; }
    std::shared_ptr<Protocol> buildProtocol(const Address& address) override {
        CHECK(connector_->state() == Connector::State::connected);
        CHECK_THROWS_AS(connector_->stopConnecting(), NotConnectingError);
        connector_->disconnect();
        return OneShotFactory::buildProtocol(address);
    }

private:
    Connector* connector_ = nullptr;
};

class RudeFactory : public OneShotFactory {
public:
    using OneShotFactory::OneShotFactory;
    void stopFactory() override { throw ValueError("stopFactory"); }
};

}  // namespace

TEST_CASE("an attempt under way is told of the end of its reactor, whatever it waits for (CL-3)") {
    const auto factory = std::make_shared<OneShotFactory>(std::make_shared<Actor>());
    std::weak_ptr<Connector> connector;
    SUBCASE("an address") {
        LibeventReactor reactor;
        reactor.installNameResolver(openResolver());
        connector = reactor.connectTCP("some.name", 80, factory);
        CHECK(!connector.expired());
    }
    SUBCASE("an answer") {
        LibeventReactor reactor;
        const Peer peer(reactor);
        connector = reactor.connectTCP("127.0.0.1", peer.number(), factory);
    }
    SUBCASE("to be told that it was given up") {
        LibeventReactor reactor;
        const Peer peer(reactor);
        const auto attempt = reactor.connectTCP("127.0.0.1", peer.number(), factory);
        attempt->stopConnecting();
        connector = attempt;
    }
    REQUIRE(factory->failed);
    CHECK(factory->failed->check<ConnectionLost>());
    CHECK(factory->numPorts() == 0);
    CHECK(connector.expired());
}

TEST_CASE("a factory that connects again at once keeps neither the shutdown nor the end of a reactor waiting (CL-3)") {
    const auto factory = std::make_shared<StubbornFactory>(std::make_shared<Actor>());
    testing::LoggedErrors logged;
    {
        LibeventReactor reactor;
        const Peer peer(reactor);
        reactor.connectTCP("127.0.0.1", peer.number(), factory);
        until(reactor, [&] { return peer.actor->made == 1; });
        reactor.callWhenRunning([&] { reactor.stop(); });
        reactor.run(false);
        CHECK(factory->attempts > 0);
    }
    CHECK(logged.flush().size() == 1);  // the last attempt is refused, and that is logged
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("a negative timeout is refused before the factory is started (CL-3)") {
    LibeventReactor reactor;
    const auto factory = std::make_shared<OneShotFactory>(nullptr);
    CHECK_THROWS_WITH_AS(reactor.connectTCP("127.0.0.1", 1, factory, -1s),
                         "connectTCP: the timeout of a connection attempt must not be negative", ValueError);
    CHECK_THROWS_WITH_AS(reactor.connectUNIX("/nowhere", factory, -1s),
                         "connectUNIX: the timeout of a connection attempt must not be negative", ValueError);
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("inside buildProtocol a connector is connected, and disconnect is heeded (TR-15)") {
    LibeventReactor reactor;
    const Peer peer(reactor);
    const auto client = std::make_shared<Actor>();
    const auto factory = std::make_shared<FickleFactory>(client);
    reactor.connectTCP("127.0.0.1", peer.number(), factory);
    until(reactor, [&] { return factory->clientLost == 1 && peer.actor->lost == 1; });
    CHECK(client->made == 0);
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("an exception in startedConnecting is logged, and fails the attempt at once") {
    class Broken : public OneShotFactory {
    public:
        using OneShotFactory::OneShotFactory;
        void startedConnecting(Connector&) override { throw ValueError("startedConnecting"); }
    };
    testing::LoggedErrors logged;
    LibeventReactor reactor;
    const Peer peer(reactor);
    const auto factory = std::make_shared<Broken>(std::make_shared<Actor>());
    const auto connector = reactor.connectTCP("127.0.0.1", peer.number(), factory);
    CHECK_FALSE(factory->failed);
    until(reactor, [&] { return factory->failed != nullptr; });
    CHECK(factory->failed->check<ValueError>());
    CHECK(connector->state() == Connector::State::disconnected);
    CHECK(factory->numPorts() == 0);
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(logged.size() == 0);
}

TEST_CASE("an exception in stopFactory is logged or fails stopListening, and ends nothing else") {
    testing::LoggedErrors logged;
    std::weak_ptr<Transport> transport;
    LibeventReactor reactor;
    const Peer peer(reactor);
    const auto client = std::make_shared<Actor>();
    reactor.connectTCP("127.0.0.1", peer.number(), std::make_shared<RudeFactory>(client));
    until(reactor, [&] { return client->made == 1; });
    transport = client->transportHandle();
    client->transport().loseConnection();
    until(reactor, [&] { return client->lost == 1 && peer.actor->lost == 1; });
    CHECK(client->why() == "ConnectionDone");

    const auto port = reactor.listenTCP(0, std::make_shared<RudeFactory>(nullptr), 50, "127.0.0.1");
    std::optional<Failure> failure;
    port->stopListening().addErrback([&](const Failure& why) { failure = why; });
    CHECK_FALSE(failure);
    until(
        reactor, [&] { return failure.has_value(); }, "for the Deferred");
    CHECK(failure->check<ValueError>());
    CHECK(!logged.flush<ValueError>().empty());
    CHECK(logged.size() == 0);
}

TEST_CASE("a resolver that finds nothing, and does not fail, is a DNSLookupError") {
    LibeventReactor reactor;
    const auto resolver = openResolver();
    reactor.installNameResolver(resolver);
    const auto factory = std::make_shared<OneShotFactory>(nullptr);
    reactor.connectTCP("some.name", 80, factory);
    until(reactor, [&] { return !resolver->pending.empty(); });
    resolver->pending[0].callback({});
    until(reactor, [&] { return factory->failed != nullptr; });
    CHECK(factory->failed->check<DNSLookupError>());
}
