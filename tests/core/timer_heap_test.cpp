#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/timer_heap.hpp>
#include <torsion/testing/clock.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {
using Order = std::vector<int>;
}

TEST_CASE("time is a Duration, and a delay must not be negative (DC-1)") {
    task::Clock clock;
    CHECK_THROWS_AS(clock.callLater(-1ns, [] {}), ValueError);
    bool ran = false;
    const DelayedCall call = clock.callLater(0s, [&] { ran = true; });
    CHECK(call.getTime() == clock.seconds());
    CHECK(!ran);  // never from inside callLater
    clock.advance(0s);
    CHECK(ran);
}

TEST_CASE("a pass runs nothing that is added during it (DC-2)") {
    Duration now{};
    TimerHeap heap([&] { return now; });
    Order ran;
    heap.add(0s, [&] {
        ran.push_back(1);
        heap.add(0s, [&] { ran.push_back(2); });
    });
    CHECK(heap.runDue(now) == 1);
    CHECK(ran == Order{1});
    CHECK(heap.runDue(now) == 1);
    CHECK(ran == Order{1, 2});
}

TEST_CASE("a call is told the time by which it is due at the earliest, and next() knows the earliest (DC-2)") {
    Duration now{};
    TimerHeap heap([&] { return now; });
    CHECK(!heap.next());
    DelayedCall first = heap.add(1s, [] {});
    heap.add(2s, [] {});
    CHECK(heap.next() == 1s);
    first.cancel();
    CHECK(heap.next() == 2s);
    CHECK(heap.runDue(2s - 1ns) == 0);
    CHECK(heap.runDue(2s) == 1);
    CHECK(!heap.next());
}

TEST_CASE("equal deadlines run in the order of the calls (DC-3, D8)") {
    task::Clock clock;
    Order ran;
    for (int i = 0; i < 1000; ++i) clock.callLater(1s, [&ran, i] { ran.push_back(i); });
    clock.advance(1s);
    CHECK(ran.size() == 1000);
    CHECK(std::is_sorted(ran.begin(), ran.end()));
}

TEST_CASE("any mixture of deadlines runs in order (DC-3)") {
    task::Clock clock;
    const std::uint32_t seed = 20240601;
    INFO("seed ", seed);
    std::mt19937 engine(seed);
    std::vector<std::pair<Duration, int>> expected;
    std::vector<std::pair<Duration, int>> ran;
    for (int i = 0; i < 2000; ++i) {
        const Duration when = std::chrono::milliseconds(engine() % 50);
        const DelayedCall call = clock.callLater(when, [&ran, when, i] { ran.emplace_back(when, i); });
        if (engine() % 4 == 0) {
            DelayedCall(call).cancel();
        } else {
            expected.emplace_back(when, i);
        }
    }
    std::sort(expected.begin(), expected.end());
    clock.advance(1s);
    CHECK(ran == expected);
}

TEST_CASE("reset counts from now, delay from the deadline; later and sooner both work (DC-4)") {
    task::Clock clock;
    Order ran;
    DelayedCall later = clock.callLater(2s, [&] { ran.push_back(1); });
    DelayedCall sooner = clock.callLater(10s, [&] { ran.push_back(2); });
    clock.advance(1s);
    later.reset(5s);
    sooner.reset(3s);
    CHECK(later.getTime() == 6s);
    CHECK(sooner.getTime() == 4s);
    clock.advance(1s);
    CHECK(ran.empty());
    later.delay(1s);
    later.delay(-2s);
    CHECK(later.getTime() == 5s);
    clock.advance(2s);
    CHECK(ran == Order{2});
    clock.advance(1s);
    CHECK(ran == Order{2, 1});
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a call may be put off or brought forward any number of times, and runs once (DC-4)") {
    task::Clock clock;
    int runs = 0;
    DelayedCall call = clock.callLater(1s, [&] { ++runs; });
    for (int i = 0; i < 1000; ++i) {
        call.reset(i % 2 == 0 ? Duration(1s) : Duration(500ms));
        CHECK(clock.getDelayedCalls().size() == 1);
    }
    clock.advance(499ms);
    CHECK(runs == 0);
    clock.advance(1s);
    CHECK(runs == 1);
    clock.advance(10s);
    CHECK(runs == 1);
}

TEST_CASE("one that is due may still be cancelled, put off or brought forward by one that runs before it (DC-4)") {
    task::Clock clock;
    Order ran;
    DelayedCall cancelled;
    DelayedCall putOff;
    DelayedCall again;
    clock.callLater(1s, [&] {
        ran.push_back(0);
        cancelled.cancel();
        putOff.delay(1s);
        again.delay(-500ms);
    });
    cancelled = clock.callLater(1s, [&] { ran.push_back(1); });
    putOff = clock.callLater(1s, [&] { ran.push_back(2); });
    again = clock.callLater(1s, [&] { ran.push_back(3); });
    clock.callLater(1s, [&] { ran.push_back(4); });
    clock.advance(1s);
    std::sort(ran.begin(), ran.end());
    CHECK(ran == Order{0, 3, 4});
    clock.advance(1s);
    CHECK(ran.back() == 2);
}

TEST_CASE("after the run cancel, reset and delay throw AlreadyCalled, after cancel AlreadyCancelled (DC-5)") {
    task::Clock clock;
    DelayedCall call;
    bool activeInside = true;
    call = clock.callLater(1s, [&] {
        activeInside = call.active();
        CHECK_THROWS_AS(call.cancel(), AlreadyCalled);
    });
    CHECK(call.active());
    clock.advance(1s);
    CHECK(!activeInside);
    CHECK_THROWS_AS(call.cancel(), AlreadyCalled);
    CHECK_THROWS_AS(call.reset(1s), AlreadyCalled);
    CHECK_THROWS_AS(call.delay(1s), AlreadyCalled);
    CHECK_THROWS_AS(call.cancel(), ValueError);  // both are

    DelayedCall other = clock.callLater(1s, [] { FAIL("cancelled"); });
    DelayedCall copy = other;
    other.cancel();
    CHECK(!copy.active());
    CHECK_THROWS_AS(copy.cancel(), AlreadyCancelled);
    CHECK_THROWS_AS(copy.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(copy.delay(1s), AlreadyCancelled);
    clock.advance(1s);

    DelayedCall nothing;
    CHECK(!nothing.active());
    CHECK_THROWS_AS(nothing.cancel(), AlreadyCalled);
}

TEST_CASE("cancel frees the function at once, even one that owns the handle (DC-6)") {
    task::Clock clock;
    const auto object = std::make_shared<int>(1);
    DelayedCall call = clock.callLater(1s, [object] {});
    CHECK(object.use_count() == 2);
    call.cancel();
    CHECK(object.use_count() == 1);

    const auto owner = std::make_shared<DelayedCall>();
    *owner = clock.callLater(1s, [owner, object] {});
    std::weak_ptr<DelayedCall> watch = owner;
    owner->cancel();
    CHECK(object.use_count() == 1);
    CHECK(owner.use_count() == 1);
}

TEST_CASE("the function is freed after it has run (DC-6)") {
    task::Clock clock;
    const auto object = std::make_shared<int>(1);
    const DelayedCall call = clock.callLater(1s, [object] {});
    clock.advance(1s);
    CHECK(object.use_count() == 1);
}

TEST_CASE("cancelled calls vanish from getDelayedCalls, and their entries are purged in bulk (DC-7)") {
    task::Clock clock;
    std::vector<DelayedCall> calls;
    int runs = 0;
    for (int i = 0; i < 1000; ++i) calls.push_back(clock.callLater(1s + i * 1ms, [&] { ++runs; }));
    for (std::size_t i = 0; i < 1000; i += 2) calls[i].cancel();
    CHECK(clock.getDelayedCalls().size() == 500);
    for (std::size_t i = 1; i < 997; i += 2) calls[i].cancel();
    CHECK(clock.getDelayedCalls().size() == 2);
    clock.advance(10s);
    CHECK(runs == 2);

    // What is added and cancelled all the time does not pile up: this would be slow and large otherwise.
    for (int i = 0; i < 200000; ++i) clock.callLater(1h, [] {}).cancel();
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("an exception from a call is logged, and the others run (DC-2)") {
    int errors = 0;
    const int observer = log::addObserver([&](const log::Event& event) {
        if (event.failure != nullptr && event.failure->check<ValueError>()) ++errors;
    });
    task::Clock clock;
    bool ran = false;
    clock.callLater(1s, [] { throw ValueError("no"); });
    clock.callLater(1s, [&] { ran = true; });
    clock.advance(1s);
    log::removeObserver(observer);
    CHECK(ran);
    CHECK(errors == 1);
}

TEST_CASE("a handle outlives its clock, as a cancelled call") {
    DelayedCall call;
    {
        task::Clock clock;
        call = clock.callLater(1s, [] {});
    }
    CHECK(!call.active());
    CHECK_THROWS_AS(call.reset(1s), AlreadyCancelled);
    CHECK(call.getTime() == 1s);
}

TEST_CASE("handles that outlive their clock are dropped in any order, on any thread") {
    std::vector<DelayedCall> here, there;
    {
        task::Clock clock;
        for (int i = 0; i < 1000; ++i) {
            DelayedCall call = clock.callLater(1s, [] {});
            if (i % 7 == 0) call.cancel();
            if (i % 10 != 0) (i % 3 == 0 ? here : there).push_back(std::move(call));
        }
        clock.callLater(0s, [] {});
        clock.advance(0s);
    }
    std::shuffle(here.begin(), here.end(), std::mt19937(1));
    std::thread other([&] { there.clear(); });
    here.clear();
    other.join();
}

TEST_CASE("crowds of calls come and go, and no two of them share their memory") {
    // More than the clock keeps room for, so that it gives some back.
    constexpr std::size_t kCalls = detail::TimerStore::kMostSpare * 64 + 10000;
    std::mt19937 random(20240601);
    task::Clock clock;
    for (int round = 0; round < 3; ++round) {
        std::vector<DelayedCall> calls;
        std::vector<unsigned char> runs(kCalls);
        std::vector<unsigned char> expected(kCalls, 1);
        for (std::size_t i = 0; i < kCalls; ++i) {
            calls.push_back(clock.callLater(1s + std::chrono::nanoseconds(random() % 1000), [&runs, i] { ++runs[i]; }));
        }
        if (round > 0) clock.advance(1ms);  // sorts them in
        std::vector<std::size_t> order(kCalls);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::shuffle(order.begin(), order.end(), random);
        const std::size_t cancelled = round == 1 ? kCalls / 8 * 7 : kCalls / 3;
        for (std::size_t i = 0; i < cancelled; ++i) {
            calls[order[i]].cancel();
            expected[order[i]] = 0;
            if (i % 2 == 0) calls[order[i]] = DelayedCall();
        }
        CHECK(clock.getDelayedCalls().size() == kCalls - cancelled);
        if (round == 2) calls.clear();
        clock.advance(2s);
        CHECK((runs == expected));
        CHECK(clock.getDelayedCalls().empty());
    }
}

TEST_CASE("a crowd that is due at once runs in order, and equal deadlines in the order of the calls (DC-3, D8)") {
    for (const Duration longest : {Duration(0), Duration(700), Duration(1h), Duration::max()}) {
        CAPTURE(longest.count());
        std::mt19937_64 random(20261121);
        std::uniform_int_distribution<Duration::rep> delays(0, longest.count());
        Duration now{};
        TimerHeap heap([&now] { return now; });
        std::vector<std::pair<Duration, int>> ran, expected;
        for (int i = 0; i < 5000; ++i) {
            const Duration deadline(delays(random));
            expected.emplace_back(deadline, i);
            heap.add(deadline, [&ran, deadline, i] { ran.emplace_back(deadline, i); });
        }
        std::sort(expected.begin(), expected.end());
        now = Duration::max();
        CHECK(heap.runDue(now) == expected.size());
        CHECK((ran == expected));
    }
}

TEST_CASE("the longest delay there is does not overflow (DC-8)") {
    task::Clock clock;
    clock.advance(1h);
    bool ran = false;
    DelayedCall call = clock.callLater(Duration::max(), [&] { ran = true; });
    call.delay(Duration::max());
    call.reset(Duration::max());
    clock.advance(1h);
    CHECK(!ran);
    CHECK(call.active());
}
