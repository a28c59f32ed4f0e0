#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/defer_later.hpp>
#include <torsion/core/looping_call.hpp>
#include <torsion/testing/clock.hpp>

#include "critical_log.hpp"

using namespace torsion;
using namespace std::chrono_literals;
using task::Clock;
using task::LoopingCall;

TEST_CASE("a LoopingCall calls at once, and then at each interval from its start (DC-9)") {
    Clock clock;
    std::vector<Duration> times;
    LoopingCall loop(clock, [&] { times.push_back(clock.seconds()); });
    loop.start(2s);
    CHECK(times == std::vector<Duration>{0s});
    clock.pump({1s, 1s, 2s});
    CHECK(times == std::vector<Duration>{0s, 2s, 4s});
    CHECK(loop.running());
    CHECK(loop.interval() == 2s);
    CHECK_THROWS_AS(loop.start(1s), RuntimeError);
}

TEST_CASE("a LoopingCall may begin an interval later (DC-9)") {
    Clock clock;
    int calls = 0;
    LoopingCall loop(clock, [&] { ++calls; });
    loop.start(1s, false);
    CHECK(calls == 0);
    clock.advance(999ms);
    CHECK(calls == 0);
    clock.advance(1ms);
    CHECK(calls == 1);
}

TEST_CASE("beats that were missed are left out, and the later ones keep their time (DC-9)") {
    Clock clock;
    std::vector<Duration> times;
    LoopingCall loop(clock, [&] { times.push_back(clock.seconds()); });
    loop.start(1s);
    clock.advance(3500ms);  // one leap: the timer is late
    CHECK(times == std::vector<Duration>{0s, 3500ms});
    clock.advance(500ms);
    CHECK(times.back() == 4s);
}

TEST_CASE("a LoopingCall waits for the Deferred of its function, and never overlaps (DC-9)") {
    Clock clock;
    int calls = 0;
    Deferred<int> slow;
    LoopingCall loop(clock, [&] {
        ++calls;
        slow = Deferred<int>();
        return slow;
    });
    loop.start(1s);
    clock.advance(10s);
    CHECK(calls == 1);
    slow.callback(0);
    CHECK(calls == 1);
    clock.advance(999ms);
    CHECK(calls == 1);
    clock.advance(1ms);
    CHECK(calls == 2);
}

TEST_CASE("stop ends a LoopingCall, which may start again; its Deferred fires (DC-10)") {
    Clock clock;
    int calls = 0, ended = 0;
    LoopingCall loop(clock, [&] { ++calls; });
    CHECK_THROWS_AS(loop.stop(), RuntimeError);
    loop.start(1s).addCallback([&] { ++ended; });
    loop.stop();
    CHECK(ended == 1);
    CHECK_FALSE(loop.running());
    clock.advance(5s);
    CHECK(calls == 1);
    CHECK(clock.getDelayedCalls().empty());
    loop.start(1s).addCallback([&] { ++ended; });
    clock.advance(1s);
    CHECK(calls == 3);
    CHECK(ended == 1);
    CHECK_THROWS_AS(loop.start(-1s), RuntimeError);
    loop.stop();
    CHECK_THROWS_AS(loop.start(-1s), ValueError);
}

TEST_CASE("stop during a call ends the loop with that call, and no new start comes before (DC-10)") {
    Clock clock;
    Deferred<void> slow;
    bool ended = false;
    LoopingCall loop(clock, [&] { return slow; });
    loop.start(1s).addCallback([&] { ended = true; });
    loop.stop();
    CHECK_FALSE(ended);
    CHECK_THROWS_AS(loop.start(1s), RuntimeError);
    slow.callback();
    CHECK(ended);
    slow = Deferred<void>();
    loop.start(1s);
}

TEST_CASE("an exception or a failed Deferred ends a LoopingCall with that failure (DC-10)") {
    Clock clock;
    for (const bool thrown : {true, false}) {
        int calls = 0;
        std::string why;
        LoopingCall loop(clock, [&]() -> Deferred<void> {
            if (++calls < 2) return defer::succeed();
            if (thrown) throw ValueError("enough");
            return defer::fail(ValueError("enough"));
        });
        loop.start(1s).addErrback([&](const Failure& failure) { why = failure.getErrorMessage(); });
        clock.advance(1s);
        CHECK(why == "enough");
        CHECK_FALSE(loop.running());
        clock.advance(5s);
        CHECK(calls == 2);
    }
}

TEST_CASE("reset lets a whole interval begin now (DC-9)") {
    Clock clock;
    std::vector<Duration> times;
    LoopingCall loop(clock, [&] { times.push_back(clock.seconds()); });
    CHECK_THROWS_AS(loop.reset(), RuntimeError);
    loop.start(10s);
    clock.advance(9s);
    loop.reset();
    clock.advance(9s);
    CHECK(times.size() == 1);
    clock.advance(1s);
    CHECK(times.back() == 19s);
    clock.advance(10s);
    CHECK(times.back() == 29s);
}

TEST_CASE("withCount tells how many beats have passed, and leaves calls for none out (DC-11)") {
    Clock clock;
    std::vector<std::int64_t> counts;
    auto loop = LoopingCall::withCount(clock, [&](std::int64_t count) { counts.push_back(count); });
    loop.start(1s);
    clock.advance(1s);
    clock.advance(3s);
    clock.advance(500ms);
    clock.advance(500ms);
    CHECK(counts == std::vector<std::int64_t>{1, 1, 3, 1});

    loop.stop();
    counts.clear();
    auto later = LoopingCall::withCount(clock, [&](std::int64_t count) { counts.push_back(count); });
    later.start(1s, false);
    clock.advance(2500ms);
    CHECK(counts == std::vector<std::int64_t>{2});
}

TEST_CASE("an interval of zero is every turn, one count each (DC-11)") {
    Clock clock;
    int calls = 0;
    auto loop = LoopingCall::withCount(clock, [&](std::int64_t count) {
        CHECK(count == 1);
        ++calls;
    });
    loop.start(0s);
    for (int i = 0; i < 5; ++i) clock.passTurn();
    CHECK(calls == 6);
}

TEST_CASE("no call comes when a LoopingCall is gone, also if its own function ended it") {
    Clock clock;
    int calls = 0;
    std::unique_ptr<LoopingCall> loop;
    loop = std::make_unique<LoopingCall>(clock, [&] {
        if (++calls == 2) loop.reset();
    });
    loop->start(1s);
    clock.advance(1s);
    CHECK(calls == 2);
    CHECK_FALSE(loop);
    clock.advance(10s);
    CHECK(calls == 2);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("deferLater fires with what its function comes to, after the delay") {
    Clock clock;
    int value = 0;
    task::deferLater(
        clock, 2s, [](int a, int b) { return a + b; }, 3, 4)
        .addCallback([&](int sum) { value = sum; });
    clock.advance(1999ms);
    CHECK(value == 0);
    clock.advance(1ms);
    CHECK(value == 7);
    bool failed = false;
    task::deferLater(clock, 0s, [] { throw ValueError("no"); }).addErrback([&] { failed = true; });
    clock.advance(0s);
    CHECK(failed);
}

TEST_CASE("to cancel a deferLater cancels its timer (DF-9)") {
    Clock clock;
    bool cancelled = false;
    const auto later = task::deferLater(clock, 2s);
    later.addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
    later.cancel();
    CHECK(cancelled);
    CHECK(clock.getDelayedCalls().empty());
}

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
    defer::addTimeout(before, 3s, clock).addErrback([&](const Failure& failure) {
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
        defer::addTimeout(quick, 3s, clock).addBoth([&](defer::Result<int> result) { value = result.ok() ? 1 : 2; });
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
        defer::addTimeout(slow, 1s, clock).addBoth([&](const defer::Result<int>& result) {
            seen = result.ok() ? std::to_string(result.value()) : result.failure().getErrorMessage();
        });
        clock.advance(1s);
        CHECK(seen == (value ? "9" : "given up"));
    }
    const Deferred<void> cancelled;
    bool own = false;
    defer::addTimeout(cancelled, 1s, clock).addErrback([&](const Failure& failure) {
        own = failure.check<defer::CancelledError>();
    });
    cancelled.cancel();  // somebody else's: no timeout
    CHECK(own);
}
