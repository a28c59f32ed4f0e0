#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/defer_later.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/threads.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/thread_pool.hpp>

#include "gate.hpp"

using namespace torsion;
using namespace std::chrono_literals;

TEST_CASE("deferToThread runs on another thread, and its result comes on the reactor's (TH-3)") {
    LibeventReactor reactor;
    const std::thread::id self = std::this_thread::get_id();
    std::string text;
    reactor.callWhenRunning([&] {
        threads::deferToThread(
            reactor,
            [self](std::string a, const std::unique_ptr<std::string>& b) {
                CHECK(std::this_thread::get_id() != self);
                return a + *b;
            },
            std::string("one "), std::make_unique<std::string>("two"))
            .addCallback([&](const std::string& result) {
                CHECK(std::this_thread::get_id() == self);
                text = result;
                reactor.stop();
            });
    });
    reactor.run(false);
    CHECK(text == "one two");
}

TEST_CASE("what a function throws on its thread is the failure of deferToThread (TH-3)") {
    LibeventReactor reactor;
    std::string why;
    reactor.callWhenRunning([&] {
        threads::deferToThread(reactor, [] { throw ValueError("far away"); }).addErrback([&](const Failure& failure) {
            why = failure.getErrorMessage();
            reactor.stop();
        });
    });
    reactor.run(false);
    CHECK(why == "far away");
}

TEST_CASE("a result that nobody waits for any more is dropped (TH-3)") {
    LibeventReactor reactor;
    Gate gate;
    bool cancelled = false;
    reactor.callWhenRunning([&] {
        const auto result = threads::deferToThread(reactor, [&gate] {
            gate.wait();
            return 5;
        });
        result.addErrback([&](const Failure& failure) {
            cancelled = failure.check<defer::CancelledError>();
            return 0;
        });
        result.cancel();
        gate.open();
        threads::deferToThread(reactor, [] {}).addCallback([&] {
            task::deferLater(reactor, 1ms).addCallback([&] { reactor.stop(); });
        });
    });
    reactor.run(false);
    CHECK(cancelled);
}

TEST_CASE("a Deferred of a thread is given up if its reactor ends first, on the right thread (TH-3)") {
    Gate gate;
    const auto kept = std::make_shared<int>(0);
    {
        LibeventReactor reactor;
        reactor.callWhenRunning([&] {
            threads::deferToThread(reactor, [&gate] { gate.arrive(); }).addCallback([kept] { FAIL("too late"); });
            gate.waitForArrivals(1);
            reactor.crash();
        });
        reactor.run(false);
    }
    CHECK(kept.use_count() == 1);
}

TEST_CASE("deferToThreadPool takes a thread of the pool that it is given, and answers on the reactor's (TH-3, TP-1)") {
    LibeventReactor reactor;
    ThreadPool pool(1, 1);
    pool.start();
    const std::thread::id self = std::this_thread::get_id();
    std::thread::id first, second;
    std::string why;
    reactor.callWhenRunning([&] {
        threads::deferToThreadPool(reactor, pool, [] { return std::this_thread::get_id(); }).addCallback([&](auto id) {
            CHECK(std::this_thread::get_id() == self);
            first = id;
        });
        threads::deferToThreadPool(
            reactor, pool,
            [&second](int number) {
                second = std::this_thread::get_id();
                throw ValueError(std::to_string(number));
            },
            7)
            .addErrback([&](const Failure& failure) {
                why = failure.getErrorMessage();
                reactor.stop();
            });
    });
    reactor.run(false);
    pool.stop();
    CHECK(first != self);
    CHECK(first == second);  // there is one
    CHECK(why == "7");
}

TEST_CASE("work for a pool that has been stopped is dropped, and its Deferred never fires (TH-6, TP-1)") {
    LibeventReactor reactor;
    ThreadPool pool(1, 1);
    pool.start();
    pool.stop();
    const auto result = threads::deferToThreadPool(reactor, pool, [] { return 1; });
    reactor.callLater(0s, [&] { reactor.stop(); });
    reactor.run(false);
    CHECK_FALSE(result.called());
}

TEST_CASE("callMultipleInThread keeps the order, and an exception ends the rest (TP-2)") {
    LibeventReactor reactor;
    Gate gate;
    std::string order;
    std::vector<Function<void()>> functions;
    functions.emplace_back([&] { order += 'a'; });
    functions.emplace_back([&] { order += 'b'; });
    functions.emplace_back([&] {
        gate.open();
        throw ValueError("the rest is left out");
    });
    functions.emplace_back([&] { order += 'c'; });
    const int number = log::addObserver([](const log::Event&) {});
    reactor.callWhenRunning([&] {
        threads::callMultipleInThread(reactor, std::move(functions));
        gate.wait();
        reactor.stop();
    });
    reactor.run(false);
    log::removeObserver(number);
    CHECK(order == "ab");
}

TEST_CASE("blockingCallFromThread waits for values, Deferreds and errors of the reactor's thread (TH-4)") {
    LibeventReactor reactor;
    const std::thread::id self = std::this_thread::get_id();
    int value = 0, later = 0;
    std::string why, asynchronously;
    std::thread worker([&] {
        value = threads::blockingCallFromThread(
            reactor,
            [self](int a, int b) {
                CHECK(std::this_thread::get_id() == self);
                return a * b;
            },
            6, 7);
        later =
            threads::blockingCallFromThread(reactor, [&] { return task::deferLater(reactor, 1ms, [] { return 8; }); });
        try {
            threads::blockingCallFromThread(reactor, [] { throw ValueError("from the reactor"); });
        } catch (const ValueError& error) {
            why = error.what();
        }
        try {
            threads::blockingCallFromThread(reactor, [] { return defer::fail<int>(TypeError("failed")); });
        } catch (const TypeError& error) {
            asynchronously = error.what();
        }
        threads::blockingCallFromThread(reactor, [&] { reactor.stop(); });
    });
    reactor.run(false);
    worker.join();
    CHECK(value == 42);
    CHECK(later == 8);
    CHECK(why == "from the reactor");
    CHECK(asynchronously == "failed");
}

namespace {

/// Threads whose reactor has ended: what is posted is dropped.
class Ended : public ReactorThreads {
public:
    void callFromThread(Function<void()>) override {}
    void wakeUp() override {}
    void callInThread(Function<void()>) override {}
};

}  // namespace

TEST_CASE("a thread that waits for a result which cannot come any more is told (TH-4)") {
    Ended ended;
    CHECK_THROWS_WITH_AS(threads::blockingCallFromThread(ended, [] { return 1; }),
                         "There is no result: the reactor, or who would have fired the Deferred, is gone",
                         RuntimeError);
    bool told = false;
    LibeventReactor reactor;
    std::thread worker([&] {
        try {
            threads::blockingCallFromThread(reactor, [] { return Deferred<int>(); });
        } catch (const RuntimeError&) {
            told = true;
        }
        reactor.callFromThread([&] { reactor.crash(); });
    });
    reactor.run(false);
    worker.join();
    CHECK(told);
}
