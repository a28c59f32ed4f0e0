#include <torsion/testing/doctest.hpp>

#include <unistd.h>

#include <memory>
#include <string>

#include <torsion/core/defer.hpp>
#include <torsion/core/defer_later.hpp>
#include <torsion/core/error.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/transports/endpoints.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::AccumulatingProtocol;
using testing::AsyncOutcome;
using testing::DirtyReactorError;
using testing::MemoryReactor;
using testing::observeAsync;
using testing::runAsync;
using testing::TestTimeout;

namespace {

class Echo : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

/// Runs a test on a reactor of each kind.
template <class Body>
void onBoth(Body body) {
    SUBCASE("in memory") {
        MemoryReactor reactor;
        body(reactor,
             [&](testing::AsyncBody test, Duration limit) { return observeAsync(reactor, std::move(test), limit); });
    }
    SUBCASE("on the system") {
        LibeventReactor reactor;
        body(reactor,
             [&](testing::AsyncBody test, Duration limit) { return observeAsync(reactor, std::move(test), limit); });
    }
}

Deferred<void> talk(Reactor& reactor) {
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), 50, "127.0.0.1");
    endpoints::TCP4ClientEndpoint endpoint(reactor, "127.0.0.1", port->getHost().port());
    auto client = co_await endpoint.connect(Factory::forProtocol<AccumulatingProtocol>());
    client->transport().write("hello");
    while (client->data != "hello") {
        co_await task::deferLater(reactor, 1ms);
    }
    client->transport().loseConnection();
    co_await testing::waitUntilAllDisconnected(reactor, client);
    CHECK(client->closed);
    co_await port->stopListening();
}

}  // namespace

TORSION_TEST("a test case is a coroutine on a real reactor (TK-15)") {
    co_await talk(reactor);
    CHECK(reactor.running());
}

TORSION_MEMORY_TEST("a test case is a coroutine in memory, where an hour takes no time (TK-15)") {
    reactor.setLoopback(true);
    co_await talk(reactor);
    co_await task::deferLater(reactor, 60s);
    CHECK(reactor.seconds() >= 60s);
}

TORSION_TEST_WITHIN(5s, "a test case takes the logged errors that it expects (TK-16)") {
    log::err(ValueError("as expected"), "testing");
    CHECK(testing::flushLoggedErrors<ValueError>().size() == 1);
    co_await task::deferLater(reactor, 0s);
}

TEST_CASE("what a test fails with is told (TK-15)") {
    onBoth([](Reactor& reactor, auto observe) {
        const AsyncOutcome failed = observe([] { return defer::fail(ValueError("bad")); }, 5s);
        CHECK(failed.failure->check<ValueError>());
        CHECK(failed.leftBehind.empty());
        CHECK(failed.loggedErrors.empty());
        const AsyncOutcome thrown = observe([]() -> Deferred<void> { throw TypeError("worse"); }, 5s);
        CHECK(thrown.failure->check<TypeError>());
        const AsyncOutcome later =
            observe([&] { return task::deferLater(reactor, 1ms).addCallback([] { throw ValueError("late"); }); }, 5s);
        CHECK(later.failure->check<ValueError>());
        CHECK(observe([] { return defer::succeed(); }, 5s).ok());
        CHECK_THROWS_AS(observe([] { return defer::succeed(); }, 0s), ValueError);
    });
}

TEST_CASE("a test has a time limit; then its Deferred is cancelled (TK-15)") {
    onBoth([](Reactor& reactor, auto observe) {
        bool unwound = false;
        struct Guard {
            explicit Guard(bool& f) : flag(f) {}
            ~Guard() { flag = true; }
            bool& flag;
        };
        const auto body = [&]() -> Deferred<void> {
            const Guard guard(unwound);
            co_await task::deferLater(reactor, 1h);
        };
        const AsyncOutcome outcome = observe([&] { return body(); }, 20ms);
        CHECK(outcome.failure->check<TestTimeout>());
        CHECK(outcome.failure->getErrorMessage().find("0.020 s") != std::string::npos);
        CHECK(unwound);
        CHECK(outcome.leftBehind.empty());
    });
}

TEST_CASE("in memory a test that waits for nothing ends at once") {
    MemoryReactor reactor;
    const AsyncOutcome outcome = observeAsync(reactor, [] { return Deferred<void>(); });
    CHECK(outcome.failure->check<TestTimeout>());
    CHECK(outcome.failure->getErrorMessage().find("never comes") != std::string::npos);
    CHECK(reactor.seconds() == 0s);
}

TEST_CASE("timers that a test leaves are told, and cancelled (TK-17)") {
    bool ran = false;
    LibeventReactor reactor;
    const auto body = [&] {
        reactor.callLater(5s, [&] { ran = true; });
        return defer::succeed();
    };
    const AsyncOutcome outcome = observeAsync(reactor, body);
    REQUIRE(outcome.leftBehind.size() == 1);
    CHECK(outcome.leftBehind.at(0).find("a timer that is due in 4.") == 0);
    CHECK(!outcome.failure);
    CHECK(reactor.getDelayedCalls().empty());
    CHECK(!ran);
    CHECK_THROWS_WITH_AS(runAsync(reactor, body), doctest::Contains("has left something behind"), DirtyReactorError);
    MemoryReactor memory;
    CHECK(observeAsync(memory, [&] {
              memory.callLater(5s, [] {});
              return defer::succeed();
          }).leftBehind == std::vector<std::string>{"a timer that is due in 5.000 s"});
}

TEST_CASE("ports, connections and descriptors that a test leaves are told (TK-17)") {
    LibeventReactor reactor;
    const AsyncOutcome outcome = observeAsync(reactor, [&] {
        reactor.listenTCP(0, Factory::forProtocol<Echo>(), 50, "127.0.0.1");
        return defer::succeed();
    });
    CHECK(outcome.complaint().find(": socket:[") != std::string::npos);
    CHECK(outcome.complaint().find(" of IPv4Address(TCP, '127.0.0.1'") != std::string::npos);
    MemoryReactor memory;
    CHECK(observeAsync(memory,
                       [&] {
                           memory.listenTCP(80, Factory::forProtocol<Echo>());
                           return defer::succeed();
                       })
              .leftBehind.at(0)
              .find("a port that listens at IPv4Address") == 0);
}

TEST_CASE("errors that are logged, and failures that nobody handles, fail a test (TK-16)") {
    onBoth([](Reactor&, auto observe) {
        const AsyncOutcome outcome = observe(
            [] {
                log::err(ValueError("unexpected"), "doing something");
                const Deferred<void> dropped = defer::fail(TypeError("nobody cares"));
                return defer::succeed();
            },
            5s);
        REQUIRE(outcome.loggedErrors.size() == 2);
        CHECK(outcome.complaint().find("doing something: torsion::ValueError: unexpected") != std::string::npos);
        CHECK(outcome.complaint().find("torsion::TypeError: nobody cares") != std::string::npos);
        CHECK(!outcome.ok());
    });
}

TEST_CASE("a reactor may be used for one test after the other, and a test that stops it is told") {
    LibeventReactor reactor;
    for (int i = 0; i < 3; ++i)
        runAsync(
            reactor, [&] { return task::deferLater(reactor, 1ms); }, 5s);
    const AsyncOutcome outcome = observeAsync(
        reactor,
        [&] {
            reactor.stop();
            return task::deferLater(reactor, 1h);
        },
        5s);
    CHECK(outcome.failure->getErrorMessage().find("stopped before the test has ended") != std::string::npos);
    runAsync(
        reactor, [] { return defer::succeed(); }, 5s);
}

TEST_CASE("waiting for connections to end can be given up (TK-18)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    const auto transport = std::make_shared<testing::StringTransportWithDisconnection>(reactor.clock());
    transport->setProtocol(protocol);
    protocol->makeConnection(transport);
    const auto first = testing::waitUntilAllDisconnected(reactor, {protocol});
    const auto second = testing::waitUntilAllDisconnected(reactor, {protocol});
    second.cancel();
    testing::failureResultOf<defer::CancelledError>(second);
    CHECK(reactor.getDelayedCalls().size() == 1);
    protocol->transport().loseConnection();
    reactor.advance(10ms);
    testing::successResultOf(first);
    CHECK(reactor.leftBehind().empty());
}
