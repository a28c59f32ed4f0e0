#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/defer_later.hpp>
#include <torsion/testing/clock.hpp>

#include "critical_log.hpp"

using namespace torsion;
using namespace std::chrono_literals;
using task::Clock;

namespace {

Deferred<int> plusOne(Deferred<int> d) {
    const int x = co_await std::move(d);
    co_return x + 1;
}

Deferred<std::string> inTime(Deferred<int> d, ReactorTime& clock) {
    try {
        const int x = co_await plusOne(std::move(d)).addTimeout(3s, clock);
        co_return std::to_string(x);
    } catch (const defer::TimeoutError&) {
        co_return std::string("too late");
    }
}

}  // namespace

TEST_CASE("addTimeout cancels what takes too long, and says TimeoutError (DF-13)") {
    Clock clock;
    bool stopped = false;
    std::string why;
    const Deferred<int> slow([&](Deferred<int>&) { stopped = true; });
    std::string order;
    const auto before = slow.addBoth([&](defer::Result<int> result) {
        order += result.ok() ? 'v' : 'c';
        return result;
    });
    before.addTimeout(3s, clock).addErrback([&](const Failure& failure) {
        why = failure.check<defer::TimeoutError>() ? failure.getErrorMessage() : "another";
        return 0;
    });
    clock.advance(2999ms);
    CHECK_FALSE(stopped);
    clock.advance(1ms);
    CHECK(stopped);
    CHECK(order == "c");  // what was added before the timeout saw the cancellation itself
    CHECK(why == "The Deferred timed out: 3000 ms.");
}

TEST_CASE("addTimeout lets go of its timer as soon as a result is there (DF-13)") {
    Clock clock;
    for (const bool good : {true, false}) {
        const Deferred<int> quick;
        int value = 0;
        quick.addTimeout(3s, clock).addBoth([&](defer::Result<int> result) { value = result.ok() ? 1 : 2; });
        if (good) {
            quick.callback(1);
        } else {
            quick.errback(ValueError("its own"));
        }
        CHECK(value == (good ? 1 : 2));
        CHECK(clock.getDelayedCalls().empty());
    }
}

TEST_CASE("what a canceller makes of a timeout passes through, a late success too (DF-13)") {
    Clock clock;
    for (const bool value : {true, false}) {
        const Deferred<int> slow([&](Deferred<int>& self) {
            if (value) {
                self.callback(9);
            } else {
                self.errback(ValueError("given up"));
            }
        });
        std::string seen;
        slow.addTimeout(1s, clock).addBoth([&](const defer::Result<int>& result) {
            seen = result.ok() ? std::to_string(result.value()) : result.failure().getErrorMessage();
        });
        clock.advance(1s);
        CHECK(seen == (value ? "9" : "given up"));
    }
    const Deferred<void> cancelled;
    bool own = false;
    cancelled.addTimeout(1s, clock).addErrback(
        [&](const Failure& failure) { own = failure.check<defer::CancelledError>(); });
    cancelled.cancel();  // somebody else's: no timeout
    CHECK(own);
}

TEST_CASE("onTimeoutCancel gets what came of the cancellation and the timeout, and makes the result (DF-13)") {
    Clock clock;
    const auto outcome = [](const defer::Result<int>& result) {
        return result.ok() ? std::to_string(result.value()) : result.failure().getErrorMessage();
    };
    std::string got, seen;
    const auto note = [&](const defer::Result<int>& result) { seen = outcome(result); };

    const Deferred<int> slow;
    slow.addTimeout(3s, clock,
                    [&](const defer::Result<int>& result, Duration timeout) {
                        CHECK(timeout == 3s);
                        got = outcome(result);
                        return -1;
                    })
        .addBoth(note);
    clock.advance(3s);
    CHECK(got == "The Deferred was cancelled.");
    CHECK(seen == "-1");

    const Deferred<int> late([](Deferred<int>& self) { self.callback(9); });
    late.addTimeout(1s, clock,
                    [&](const defer::Result<int>& result, Duration) -> Failure {
                        got = outcome(result);
                        return ValueError("its own");
                    })
        .addBoth(note);
    clock.advance(1s);
    CHECK(got == "9");
    CHECK(seen == "its own");

    const Deferred<int> thrown, deferred, other;
    thrown.addTimeout(1s, clock, [](defer::Result<int>, Duration) -> int { throw TypeError("thrown"); }).addBoth(note);
    clock.advance(1s);
    CHECK(seen == "thrown");
    deferred.addTimeout(1s, clock, [&](defer::Result<int>, Duration) { return other; }).addBoth(note);
    clock.advance(1s);
    CHECK(seen == "thrown");
    other.callback(12);
    CHECK(seen == "12");
}

TEST_CASE("onTimeoutCancel is not called for a result in time, nor for somebody else's cancellation (DF-13)") {
    Clock clock;
    int called = 0, seen = 0;
    const auto count = [&](defer::Result<int> result, Duration) {
        ++called;
        return result;
    };
    const Deferred<int> quick, cancelled;
    quick.addTimeout(1s, clock, count).addCallback([&](int x) { seen = x; });
    quick.callback(1);
    CHECK(seen == 1);
    cancelled.addTimeout(1s, clock, count).addErrback([&](const Failure& failure) {
        seen = failure.check<defer::CancelledError>() ? 2 : 3;
        return 0;
    });
    cancelled.cancel();
    CHECK(seen == 2);
    CHECK(called == 0);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a timer that somebody else has cancelled times nothing out (DF-13)") {
    Clock clock;
    const Deferred<int> slow;
    bool own = false;
    slow.addTimeout(1s, clock).addErrback([&](const Failure& failure) {
        own = failure.check<defer::CancelledError>();
        return 0;
    });
    for (DelayedCall& call : clock.getDelayedCalls()) call.cancel();
    slow.cancel();
    CHECK(own);
}

TEST_CASE("a coroutine may have a deadline: it is cancelled where it waits (DF-13, IC-3)") {
    Clock clock;
    std::string seen;
    bool stopped = false;
    const Deferred<int> slow([&](Deferred<int>&) { stopped = true; });
    inTime(slow, clock).addCallback([&](const std::string& text) { seen = text; });
    clock.advance(3s);
    CHECK(stopped);
    CHECK(seen == "too late");
    const Deferred<int> quick;
    inTime(quick, clock).addCallback([&](const std::string& text) { seen = text; });
    quick.callback(4);
    CHECK(seen == "5");
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("timeouts that make no sense are refused, and leave the Deferred as it was (DF-13)") {
    Clock clock;
    const Deferred<int> deferred;
    CHECK_THROWS_AS(deferred.addTimeout(-1s, clock), ValueError);
    const auto text = deferred.addCallback([](int x) { return std::to_string(x); });
    CHECK_THROWS_AS(deferred.addTimeout(1s, clock), StaleDeferred);
    CHECK(clock.getDelayedCalls().empty());
    std::string seen;
    text.addTimeout(1s, clock).addCallback([&](std::string value) { seen = std::move(value); });
    deferred.callback(7);
    CHECK(seen == "7");
}

TEST_CASE("several timeouts of one Deferred each count by themselves, and values may be move-only (DF-13)") {
    Clock clock;
    const Deferred<std::unique_ptr<int>> slow;
    std::string order;
    defer::addTimeout(slow.addTimeout(2s, clock).addErrback([&](const Failure& failure) {
        order += failure.check<defer::TimeoutError>() ? 't' : 'c';
        return std::make_unique<int>(2);
    }),
                      1s, clock)
        .addCallback([&](const std::unique_ptr<int>& value) { order += std::to_string(*value); });
    clock.advance(1s);
    CHECK(order == "c2");  // the inner one sees a cancellation that is not its own
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a Deferred that nobody holds but its timeout ends with that (DF-13, DF-14)") {
    Clock clock;
    const auto witness = std::make_shared<int>(0);
    bool timedOut = false;
    Deferred<void>().addTimeout(1s, clock).addBoth(
        [&timedOut, witness](const defer::Result<void>& result) { timedOut = !result.ok(); });
    CHECK(witness.use_count() == 2);
    clock.advance(1s);
    CHECK(timedOut);
    CHECK(witness.use_count() == 1);
}
