#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/race.hpp>

#include "critical_log.hpp"
#include "witness.hpp"

using namespace torsion;

namespace {

using Trace = std::vector<std::string>;

Deferred<int> plusOne(Deferred<int> d) {
    const int x = co_await std::move(d);
    co_return x + 1;
}

Deferred<int> awaitLocal(Deferred<int> d, Trace& trace) {
    trace.emplace_back("start");
    const int x = co_await d;
    trace.emplace_back("resumed");
    co_return x;
}

Deferred<void> noteOutcome(Deferred<> d, std::string name, Trace& trace) {
    try {
        co_await std::move(d);
        trace.push_back(name + " ok");
    } catch (const std::exception& error) {
        trace.push_back(name + " " + error.what());
    }
}

Deferred<std::string> catches(Deferred<int> d) {
    try {
        const int x = co_await std::move(d);
        co_return std::to_string(x);
    } catch (const ValueError& error) {
        co_return std::string("caught ") + error.what();
    }
}

Deferred<int> throwsAfter(Deferred<> d) {
    co_await std::move(d);
    throw ValueError("from the body");
}

Deferred<int> sumOfFired(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        const int x = co_await defer::succeed(1);
        sum += x;
    }
    co_return sum;
}

Deferred<int> returnsFailure() {
    const int x = co_await defer::succeed(1);
    if (x == 1) co_return Failure(ValueError("returned"));
    co_return x;
}

Deferred<std::unique_ptr<int>> moves(Deferred<std::unique_ptr<int>> d) {
    auto p = co_await std::move(d);
    ++*p;
    co_return p;
}

Deferred<std::string> survivesCancel(Deferred<> first, Deferred<int> second) {
    try {
        co_await std::move(first);
    } catch (const defer::CancelledError&) {
    }
    const int x = co_await std::move(second);
    co_return std::to_string(x);
}

Deferred<void> holdsWitness(Deferred<> d, int& alive) {
    const Witness witness(alive);
    co_await std::move(d);
}

Deferred<void> holdsAndAwaits(Deferred<> outer, int& alive, Trace& trace) {
    const Witness witness(alive);
    co_await std::move(outer);
    trace.emplace_back("never");
}

Deferred<> makeUnfired() { return Deferred<>(); }

Deferred<void> awaitsOrphan(int& alive) {
    const Witness witness(alive);
    co_await makeUnfired();
}

Deferred<int> firesWhileResumed(Deferred<> go, Deferred<int> other, Trace& trace) {
    co_await std::move(go);
    trace.emplace_back("before");
    other.callback(1);
    trace.emplace_back("after");
    co_return 2;
}

Deferred<std::string> firstOf(std::vector<Deferred<int>> runners, Trace& trace) {
    std::vector<Deferred<void>> talks;
    for (std::size_t i = 0; i < runners.size(); ++i) {
        Deferred<void> start = runners[i].addCallback([](int) {});
        talks.push_back(noteOutcome(std::move(start), std::to_string(i), trace));
    }
    const auto won = co_await defer::race(std::move(talks));
    co_return "won by " + std::to_string(won.first);
}

Deferred<int> sumOf(Deferred<int> a, Deferred<int> b) {
    const auto both = co_await defer::gatherResults(plusOne(std::move(a)), plusOne(std::move(b)));
    co_return std::get<0>(both) + std::get<1>(both);
}

}  // namespace

TEST_CASE("the body runs at once up to the first unfired await (IC-1)") {
    Trace trace;
    Deferred<int> d;
    auto result = awaitLocal(d, trace);
    CHECK(trace == Trace{"start"});
    CHECK_FALSE(result.called());
    d.callback(3);
    CHECK(trace == Trace{"start", "resumed"});
    int seen = 0;
    result.addCallback([&](int x) { seen = x; });
    CHECK(seen == 3);
}

TEST_CASE("awaiting something fired goes on without a turn and without recursion (IC-1)") {
    int sum = 0;
    sumOfFired(1'000'000).addCallback([&](int x) { sum = x; });
    CHECK(sum == 1'000'000);
}

TEST_CASE("a coroutine without await is a fired Deferred (IC-1) (DV-5)") {
    auto failed = returnsFailure();
    CHECK(failed.called());
    std::string text;
    failed.addErrback([&](const Failure& f) { text = f.getErrorMessage(); });
    CHECK(text == "returned");
}

TEST_CASE("a failure is thrown into the body at the await (IC-2)") {
    std::string seen;
    Deferred<int> d;
    catches(d).addCallback([&](const std::string& s) { seen = s; });
    d.errback(ValueError("thrown in"));
    CHECK(seen == "caught thrown in");
    catches(defer::fail<int>(ValueError("at once"))).addCallback([&](const std::string& s) { seen = s; });
    CHECK(seen == "caught at once");
    catches(defer::succeed(4)).addCallback([&](const std::string& s) { seen = s; });
    CHECK(seen == "4");
    Deferred<int> other;
    catches(other).addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
    other.errback(TypeError("not caught"));
    CHECK(seen == "not caught");
}

TEST_CASE("cancel reaches what the body awaits, and the body decides (IC-3)") {
    SUBCASE("uncaught: the coroutine fails with CancelledError") {
        Deferred<int> d;
        bool cancelled = false;
        auto result = plusOne(plusOne(d));
        result.addErrback([&](const Failure& f) { cancelled = f.check<defer::CancelledError>(); });
        result.cancel();
        CHECK(cancelled);
        CHECK_NOTHROW(d.callback(1));
    }
    SUBCASE("caught: it goes on, awaits something else, and returns a value") {
        Deferred<> first;
        Deferred<int> second;
        std::string seen;
        auto result = survivesCancel(first, second);
        result.addCallback([&](const std::string& s) { seen = s; });
        result.cancel();
        CHECK_FALSE(result.called());
        second.callback(8);
        CHECK(seen == "8");
    }
    SUBCASE("the canceller of the awaited one may give a value") {
        int seen = 0;
        Deferred<int> held([](Deferred<int>& self) { self.callback(1); });
        auto waiting = plusOne(held);
        waiting.addCallback([&](int x) { seen = x; });
        waiting.cancel();
        CHECK(seen == 2);
    }
}

TEST_CASE("an exception that leaves the body becomes the failure (IC-4)") {
    std::string seen;
    Deferred<> d;
    throwsAfter(d).addErrback([&](const Failure& f) { seen = f.str(); });
    d.callback();
    CHECK(seen == "[Failure instance: torsion::ValueError: from the body]");
    CriticalLog log;
    throwsAfter(defer::succeed());
    CHECK(log.messages == Trace{"from the body"});
}

TEST_CASE("only the body fires a coroutine's Deferred (DF-7)") {
    Deferred<int> d;
    auto result = plusOne(d);
    CHECK_THROWS_AS(result.callback(1), defer::AlreadyCalledError);
    d.callback(1);
    CHECK_THROWS_AS(result.callback(1), defer::AlreadyCalledError);
}

TEST_CASE("who waits for a coroutine runs before the later callbacks of what it awaited (DF-1, IC-1)") {
    Trace trace;
    Deferred<> d;
    Deferred<int> other;
    other.addCallback([&](int) { trace.emplace_back("other"); });
    firesWhileResumed(d, other, trace).addCallback([&](int) { trace.emplace_back("result"); });
    d.addCallback([&] { trace.emplace_back("later callback"); });
    d.callback();
    CHECK(trace == Trace{"before", "other", "after", "result", "later callback"});
}

TEST_CASE("an await claims the value when it attaches (IC-1)") {
    Deferred<int> d;
    Trace trace;
    auto first = awaitLocal(d, trace);
    auto second = awaitLocal(d, trace);
    bool stale = false;
    second.addErrback([&](const Failure& f) { stale = f.check<StaleDeferred>(); });
    CHECK(stale);
    CHECK_THROWS_AS(d.addCallback([](int) {}), StaleDeferred);
    d.callback(1);
    CHECK(first.called());
}

TEST_CASE("several may await a Deferred<void>, and each learns of a failure (IC-2)") {
    CriticalLog log;
    Trace trace;
    {
        Deferred<> d;
        noteOutcome(d, "a", trace);
        noteOutcome(d, "b", trace);
        d.errback(ValueError("failed"));
        noteOutcome(d, "c", trace);
    }
    CHECK(trace == Trace{"a failed", "b failed", "c failed"});
    CHECK(log.texts.empty());
    trace.clear();
    Deferred<> good;
    noteOutcome(good, "a", trace);
    noteOutcome(good, "b", trace);
    good.callback();
    CHECK(trace == Trace{"a ok", "b ok"});
}

TEST_CASE("move-only values pass through awaits (IC-1)") {
    Deferred<std::unique_ptr<int>> d;
    int seen = 0;
    moves(moves(d)).addCallback([&](std::unique_ptr<int> p) { seen = *p; });
    d.callback(std::make_unique<int>(1));
    CHECK(seen == 3);
}

TEST_CASE("a frame dies with the producer of what it awaits, and so do those that await it (IC-1)") {
    int alive = 0;
    Trace trace;
    auto witness = std::make_shared<int>(0);
    {
        Deferred<> producer;
        holdsAndAwaits(holdsAndAwaits(holdsWitness(producer, alive), alive, trace), alive, trace)
            .addCallback([witness] {});
        CHECK(alive == 3);
        CHECK(witness.use_count() == 2);
    }
    CHECK(alive == 0);
    CHECK(witness.use_count() == 1);
    CHECK(trace.empty());
}

TEST_CASE("awaiting what nobody can fire ends the frame there (IC-1)") {
    int alive = 0;
    auto result = awaitsOrphan(alive);
    CHECK(alive == 0);
    CHECK_FALSE(result.called());
    CHECK_NOTHROW(result.cancel());
}

TEST_CASE("a coroutine goes on although nobody listens (IC-1)") {
    int alive = 0;
    Deferred<> d;
    holdsWitness(d, alive);
    CHECK(alive == 1);
    d.callback();
    CHECK(alive == 0);
}

TEST_CASE("a Deferred paused by its owner resumes the coroutine at unpause (IC-1)") {
    auto fired = defer::succeed(1);
    fired.pause();
    auto result = plusOne(fired);
    CHECK_FALSE(result.called());
    fired.unpause();
    CHECK(result.called());
}

TEST_CASE("a coroutine as a callback makes the outer Deferred wait (DF-4, IC-1) (DV-5)") {
    Deferred<int> late;
    int seen = 0;
    defer::succeed(1).addCallback([&](int) { return plusOne(late); }).addCallback([&](int x) { seen = x; });
    late.callback(10);
    CHECK(seen == 11);
}

TEST_CASE("a coroutine awaits the first of several, and the others end where they wait (IC-3) (DV-11)") {
    Trace trace;
    std::string outcome;
    const std::vector<Deferred<int>> runners(3);
    firstOf(runners, trace).addCallback([&](const std::string& text) { outcome = text; });
    runners[1].callback(1);
    CHECK(outcome == "won by 1");
    CHECK(trace == Trace{"1 ok", "0 The Deferred was cancelled.", "2 The Deferred was cancelled."});
}

TEST_CASE("a coroutine awaits several together; to cancel it cancels them all (IC-3) (DV-10)") {
    int seen = 0;
    const Deferred<int> a, b;
    sumOf(a, b).addCallback([&](int total) { seen = total; });
    b.callback(20);
    a.callback(10);
    CHECK(seen == 32);

    int stopped = 0;
    const auto canceller = [&](Deferred<int>&) { ++stopped; };
    const Deferred<int> c{Deferred<int>::Canceller(canceller)}, d{Deferred<int>::Canceller(canceller)};
    const auto sum = sumOf(c, d);
    bool failed = false;
    sum.addErrback([&] {
        failed = true;
        return 0;
    });
    sum.cancel();
    CHECK(stopped == 2);
    CHECK(failed);
}
