#include <doctest/doctest.h>

#include <memory>
#include <optional>
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

TEST_CASE("deferLater fires with what its function comes to, after the delay (TS-1)") {
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

TEST_CASE("to cancel a deferLater cancels its timer (DF-9) (TS-2)") {
    Clock clock;
    bool cancelled = false;
    const auto later = task::deferLater(clock, 2s);
    later.addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
    later.cancel();
    CHECK(cancelled);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("to cancel what start returned stops a LoopingCall, and cancels the call under way (DC-10, DF-9)") {
    Clock clock;
    int calls = 0;
    LoopingCall loop(clock, [&] { ++calls; });
    bool cancelled = false;
    const auto note = [&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); };
    auto ended = loop.start(1s);
    ended.addErrback(note);
    clock.advance(1s);
    ended.cancel();
    CHECK(cancelled);
    CHECK_FALSE(loop.running());
    CHECK(clock.getDelayedCalls().empty());
    CHECK(calls == 2);

    bool stopped = false;
    cancelled = false;
    LoopingCall waiting(clock, [&] { return Deferred<void>([&](Deferred<void>&) { stopped = true; }); });
    ended = waiting.start(1s);
    ended.addErrback(note);
    ended.cancel();
    CHECK(stopped);
    CHECK(cancelled);
    CHECK_FALSE(waiting.running());
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE(
    "a call that goes on in spite of the cancellation has nobody to tell, and may be followed by a new start (DC-10)") {
    Clock clock;
    std::optional<Deferred<void>> call;
    int calls = 0;
    LoopingCall loop(clock, [&]() -> Deferred<void> {
        ++calls;
        call.emplace([](Deferred<void>&) {});
        return call->addErrback([&] {
            call.emplace();
            return *call;  // it has more to do
        });
    });
    bool cancelled = false;
    auto ended = loop.start(1s);
    ended.addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
    ended.cancel();
    CHECK(cancelled);
    CHECK_FALSE(loop.running());
    CHECK_THROWS_AS(loop.start(1s), RuntimeError);
    call->callback();
    CHECK(clock.getDelayedCalls().empty());
    ended = loop.start(1s);
    CHECK(calls == 2);
    CHECK(loop.running());
}

TEST_CASE("who hears that a LoopingCall was cancelled may start it anew (DC-10, DF-9)") {
    Clock clock;
    int calls = 0;
    LoopingCall loop(clock, [&]() -> Deferred<void> { return ++calls == 1 ? Deferred<void>() : defer::succeed(); });
    bool stopped = false;
    const auto first = loop.start(1s);
    first.addErrback([&] { loop.start(1s, false).addCallback([&] { stopped = true; }); });
    first.cancel();
    CHECK(loop.running());
    clock.advance(1s);
    CHECK(calls == 2);
    loop.stop();
    CHECK(stopped);
}

TEST_CASE("a LoopingCall may be cancelled by its own function, and then what that returns is, too (DC-10, DF-9)") {
    Clock clock;
    std::optional<Deferred<void>> ended;
    bool callCancelled = false, cancelled = false;
    LoopingCall loop(clock, [&] {
        ended->cancel();
        return Deferred<void>([&](Deferred<void>&) { callCancelled = true; });
    });
    ended = loop.start(1s, false);
    ended->addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
    clock.advance(1s);
    CHECK(callCancelled);
    CHECK(cancelled);
    CHECK_FALSE(loop.running());
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a LoopingCall that its own function ends keeps nothing alive, though what that returns never fires") {
    const auto canary = std::make_shared<int>();
    {
        Clock clock;
        std::optional<LoopingCall> loop;
        loop.emplace(clock, [&loop, canary] {
            loop.reset();
            return Deferred<void>();
        });
        static_cast<void>(loop->start(1s, false));
        clock.advance(1s);
        CHECK_FALSE(loop.has_value());
    }
    CHECK(canary.use_count() == 1);
}
