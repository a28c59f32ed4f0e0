#include <torsion/application/reconnecting_client_factory.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/memory_connector.hpp>
#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// A factory with chances that the test chooses.
class Trying : public ReconnectingClientFactory {
public:
    Trying(ReactorTime& clock, StandardNormal chance) : ReconnectingClientFactory(clock, std::move(chance)) {
        noisy = false;
    }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<Protocol>(); }
};

using testing::MemoryConnector;

/// An attempt whose outcome the test decides, on a clock of its own: the test's has the waits alone.
std::shared_ptr<MemoryConnector> connectorOf(std::shared_ptr<ClientFactory> factory,
                                             std::shared_ptr<task::Clock> network = std::make_shared<task::Clock>()) {
    return std::make_shared<MemoryConnector>(std::move(network), IPv4Address("127.0.0.1", 80), std::move(factory), 30s);
}

struct Setup {
    Setup() {
        factory->jitter = 0;
        connector->connect();
    }
    task::Clock clock;
    double chance = 0;
    std::shared_ptr<Trying> factory = std::make_shared<Trying>(clock, [this] { return chance; });
    std::shared_ptr<task::Clock> network = std::make_shared<task::Clock>();
    std::shared_ptr<MemoryConnector> connector = connectorOf(factory, network);

    /// The waits that are under way, in seconds.
    std::vector<double> waits() const {
        std::vector<double> all;
        for (const DelayedCall& call : clock.getDelayedCalls()) {
            all.push_back(std::chrono::duration<double>(call.getTime() - clock.seconds()).count());
        }
        return all;
    }
    /// The one wait.
    double wait() const {
        REQUIRE(waits().size() == 1);
        return waits().front();
    }
    void lose() {
        connector->lose(failureOf<ConnectionDone>());
        network->advance(0s);
    }
    void passWait() { clock.advance(clock.getDelayedCalls().at(0).getTime() - clock.seconds()); }
};

}  // namespace

TEST_CASE("the delay is multiplied before the first wait, then each time, up to maxDelay (RC-1)") {
    Setup setup;
    setup.factory->maxDelay = 60s;
    for (const double expected : {2.718281828, 7.389056099, 20.08553692, 54.59815003, 60.0, 60.0}) {
        setup.connector->fail();
        CHECK(setup.wait() == doctest::Approx(expected));
        const int before = setup.connector->attempts();
        setup.passWait();
        CHECK(setup.connector->attempts() == before + 1);
        CHECK(setup.waits().empty());
    }
    CHECK(setup.factory->retries() == 6);
}

TEST_CASE("the defaults are Twisted's (RC-1)") {
    task::Clock clock;
    const Trying factory(clock, {});
    CHECK(factory.initialDelay == 1s);
    CHECK(factory.delay() == 1s);
    CHECK(factory.maxDelay == 3600s);
    CHECK(factory.factor == doctest::Approx(2.7182818284590451));
    CHECK(factory.jitter == doctest::Approx(0.119626565582));
    CHECK_FALSE(factory.maxRetries.has_value());
    CHECK(factory.continueTrying);
}

TEST_CASE("jitter is of the normal distribution, in parts of the delay, and is the base of the next one (RC-1)") {
    Setup setup;
    setup.factory->factor = 2;
    setup.factory->jitter = 0.25;
    setup.chance = 1;
    setup.connector->fail();
    CHECK(setup.wait() == doctest::Approx(2 * 1.25));
    setup.passWait();
    setup.chance = -2;
    setup.connector->fail();
    CHECK(setup.wait() == doctest::Approx(2.5 * 2 * 0.5));
    setup.passWait();
    setup.chance = -1000;  // which Twisted's clock would refuse
    setup.connector->fail();
    CHECK(setup.wait() == 0.0);
    setup.passWait();
    CHECK(setup.connector->attempts() == 4);
}

TEST_CASE("a chance of its own keeps to a few deviations round the delay (RC-1)") {
    task::Clock clock;
    const auto factory = std::make_shared<Trying>(clock, ReconnectingClientFactory::StandardNormal());
    const auto connector = connectorOf(factory);
    connector->connect();
    connector->fail();
    CHECK(factory->delay() > 1s);  // five deviations: once in three million
    CHECK(factory->delay() < 5s);
}

TEST_CASE("it connects again after a loss as after a failure (RC-4)") {
    Setup setup;
    setup.connector->succeed();
    setup.lose();
    CHECK(setup.wait() == doctest::Approx(2.718281828));
    setup.passWait();
    CHECK(setup.connector->attempts() == 2);
    CHECK(setup.connector->state() == Connector::State::connecting);
}

TEST_CASE("delays go on growing through good connections, until resetDelay (RC-2)") {
    Setup setup;
    setup.factory->factor = 2;
    for (const double expected : {2.0, 4.0}) {
        setup.connector->succeed();
        setup.lose();
        CHECK(setup.wait() == doctest::Approx(expected));
        setup.passWait();
    }
    setup.connector->succeed();
    setup.factory->resetDelay();
    CHECK(setup.factory->delay() == 1s);
    CHECK(setup.factory->retries() == 0);
    setup.lose();
    CHECK(setup.wait() == doctest::Approx(2));
}

TEST_CASE("maxRetries bounds the attempts in a row (RC-2)") {
    Setup setup;
    setup.factory->maxRetries = 2;
    for (int i = 0; i < 2; ++i) {
        setup.connector->fail();
        setup.passWait();
    }
    setup.connector->fail();
    CHECK(setup.waits().empty());
    CHECK(setup.connector->attempts() == 3);
    setup.factory->resetDelay();
    setup.factory->retry();
    setup.passWait();
    CHECK(setup.connector->attempts() == 4);
}

TEST_CASE("a changed initialDelay counts from the first wait on (RC-1)") {
    Setup setup;
    setup.factory->initialDelay = 10s;
    setup.factory->factor = 1;
    setup.connector->fail();
    CHECK(setup.wait() == doctest::Approx(10));
}

TEST_CASE("stopTrying ends a wait (RC-3)") {
    Setup setup;
    setup.connector->fail();
    setup.factory->stopTrying();
    CHECK(setup.waits().empty());
    CHECK_FALSE(setup.factory->continueTrying);
    CHECK(setup.connector->stops() == 0);
    setup.factory->retry(*setup.connector);
    CHECK(setup.waits().empty());
}

TEST_CASE("stopTrying gives up an attempt that is under way, the first one, too, and it is not tried again (RC-3)") {
    Setup setup;
    setup.factory->stopTrying();
    CHECK(setup.connector->stops() == 1);
    setup.network->advance(0s);
    CHECK(setup.connector->state() == Connector::State::disconnected);
    CHECK(setup.waits().empty());
}

TEST_CASE("stopTrying leaves a connection that is up alone, and its loss is the end (RC-3)") {
    Setup setup;
    const auto transport = setup.connector->succeed();
    setup.factory->stopTrying();
    CHECK(setup.connector->stops() == 0);
    CHECK_FALSE(transport->disconnecting());
    setup.lose();
    CHECK(setup.waits().empty());
    CHECK(setup.connector->attempts() == 1);
}

TEST_CASE("resetDelay during a wait leaves it to stopTrying (RC-3)") {
    Setup setup;
    setup.connector->fail();
    setup.factory->resetDelay();
    CHECK(setup.waits().size() == 1);
    setup.factory->stopTrying();
    CHECK(setup.waits().empty());
}

TEST_CASE("who retries or connects by hand during a wait makes one attempt, not two (RC-4)") {
    Setup setup;
    setup.connector->fail();
    setup.factory->retry();
    CHECK(setup.waits().size() == 1);
    setup.connector->connect();
    CHECK(setup.waits().empty());
    CHECK(setup.connector->attempts() == 2);
}

TEST_CASE("retry without a connector says so (RC-4)") {
    task::Clock clock;
    Trying factory(clock, {});
    CHECK_THROWS_WITH_AS(factory.retry(), "no connector to retry: none has failed, or it was dropped when this gave up",
                         ValueError);
}

TEST_CASE("a wait keeps the connector and the factory, the end of its clock frees them (RC-4)") {
    std::weak_ptr<Connector> connector;
    std::weak_ptr<Factory> factory;
    {
        Setup setup;
        setup.connector->fail();
        connector = setup.connector;
        factory = setup.factory;
        setup.connector.reset();
        setup.factory.reset();
        CHECK(!connector.expired());
        setup.passWait();
        CHECK(connector.expired());  // a real one is held by its attempt from here on
        CHECK(factory.expired());
    }
}

TEST_CASE("a factory and a connector that only the wait keeps may be told to retry, and to stop (RC-3) (RC-4)") {
    task::Clock clock;
    const auto token = std::make_shared<double>(0);  // tells of the factory's end, without a weak pointer to it
    auto owned = std::make_shared<Trying>(clock, [token] { return *token; });
    auto attempts = connectorOf(owned);
    attempts->connect();
    attempts->fail();
    ReconnectingClientFactory& factory = *owned;
    Connector& connector = *attempts;
    attempts.reset();
    owned.reset();
    SUBCASE("retry") {
        factory.retry(connector);
        CHECK(factory.retries() == 2);
        CHECK(clock.getDelayedCalls().size() == 1);
    }
    SUBCASE("stopTrying") {}
    CHECK(token.use_count() == 2);
    factory.stopTrying();
    CHECK(clock.getDelayedCalls().empty());
    CHECK(token.use_count() == 1);
}

TEST_CASE("over real sockets it outlives a server that goes and comes back (RC-4)") {
    LibeventReactor reactor;
    const auto client = ReconnectingClientFactory::forProtocol<Protocol>(reactor);
    client->noisy = false;
    client->initialDelay = 1ms;
    client->factor = 1;
    const auto first = std::make_shared<Actor>(), second = std::make_shared<Actor>();
    auto port = reactor.listenTCP(0, std::make_shared<OneShotFactory>(first), 50, "127.0.0.1");
    const int number = port->getHost().port();
    const std::weak_ptr<Connector> connector = reactor.connectTCP("127.0.0.1", number, client);
    until(
        reactor, [&] { return first->made == 1; }, "for the first connection");
    bool closed = false;
    port->stopListening().addCallback([&] { closed = true; });
    first->transport().loseConnection();
    until(
        reactor, [&] { return closed && client->retries() >= 3; }, "for attempts that are refused");
    port = reactor.listenTCP(number, std::make_shared<OneShotFactory>(second), 50, "127.0.0.1");
    until(
        reactor, [&] { return second->made == 1; }, "for the second connection");
    client->stopTrying();
    second->transport().loseConnection();
    until(
        reactor, [&] { return connector.expired(); }, "for the end of the connector");
    CHECK(client->numPorts() == 0);
    port->stopListening();
}
