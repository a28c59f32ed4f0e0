#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>

#include "critical_log.hpp"
#include "small_stack.hpp"

using namespace torsion;

namespace {

constexpr int kLinks = 1'000'000;
constexpr int kThrows = 100'000;  // each link throws and catches, which takes its time

Deferred<int> link(Deferred<int> d) {
    const int x = co_await std::move(d);
    co_return x + 1;
}

/// A chain of coroutines, each of which awaits the one before. @return the last
Deferred<int> coroutines(Deferred<int> innermost, int count) {
    Deferred<int> last = std::move(innermost);
    for (int i = 0; i < count; ++i) last = link(std::move(last));
    return last;
}

/// A chain of fired Deferreds, each of which waits for the one before, that its callback returned. @return the last
Deferred<int> returned(Deferred<int> innermost, int count) {
    Deferred<int> last = std::move(innermost);
    for (int i = 0; i < count; ++i) {
        last = defer::succeed().addCallback([inner = std::move(last)] { return inner; });
    }
    return last;
}

Deferred<int> countdown(std::optional<Deferred<>>& next, int count) {
    int done = 0;
    while (done < count) {
        Deferred<> turn;
        next = turn;
        co_await std::move(turn);
        ++done;
    }
    co_return done;
}

Deferred<int> awaitsFired(int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) {
        const int one = co_await defer::succeed(1);
        total += one;
    }
    co_return total;
}

Deferred<int> one() { co_return 1; }

Deferred<int> awaitsCoroutines(int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) {
        const int each = co_await one();
        total += each;
    }
    co_return total;
}

}  // namespace

// All of them on a thread whose stack has 256 KiB.

TEST_CASE("a million coroutines in a row are fired from the innermost without stack (DF-4, IC-1)") {
    onSmallStack([] {
        Deferred<int> innermost;
        int seen = 0;
        coroutines(innermost, kLinks).addCallback([&](int x) { seen = x; });
        innermost.callback(0);
        CHECK(seen == kLinks);
    });
}

TEST_CASE("a hundred thousand coroutines in a row fail without stack (IC-2)") {
    onSmallStack([] {
        Deferred<int> innermost;
        bool failed = false;
        coroutines(innermost, kThrows).addErrback([&](const Failure& f) { failed = f.check<ValueError>(); });
        innermost.errback(ValueError("through all"));
        CHECK(failed);
    });
}

TEST_CASE("a million coroutines in a row are dropped unfired without stack (IC-1)") {
    onSmallStack([] {
        const auto witness = std::make_shared<int>(0);
        {
            Deferred<int> innermost;
            coroutines(innermost, kLinks).addCallback([witness](int) {});
            CHECK(witness.use_count() == 2);
        }
        CHECK(witness.use_count() == 1);
    });
}

TEST_CASE("a hundred thousand coroutines in a row are cancelled from the outermost without stack (IC-3)") {
    onSmallStack([] {
        Deferred<int> innermost;
        bool cancelled = false;
        auto last = coroutines(innermost, kThrows);
        last.addErrback([&](const Failure& f) { cancelled = f.check<defer::CancelledError>(); });
        last.cancel();
        CHECK(cancelled);
    });
}

TEST_CASE("a million Deferreds, each returned by a callback of the next, are fired without stack (DF-4)") {
    onSmallStack([] {
        Deferred<int> innermost;
        int seen = 0;
        returned(innermost, kLinks).addCallback([&](int x) { seen = x; });
        innermost.callback(7);
        CHECK(seen == 7);
    });
}

TEST_CASE("a million Deferreds, each returned by a callback of the next, are dropped unfired without stack (DF-4)") {
    onSmallStack([] {
        const auto witness = std::make_shared<int>(0);
        {
            Deferred<int> innermost;
            returned(innermost, kLinks).addCallback([witness](int) {});
            CHECK(witness.use_count() == 2);
        }
        CHECK(witness.use_count() == 1);
    });
}

TEST_CASE("a million Deferreds that wait in each other's captures are dropped without stack (DF-4)") {
    onSmallStack([] {
        CriticalLog log;
        {
            Deferred<int> last;
            for (int i = 0; i < kLinks; ++i) {
                Deferred<int> next;
                next.addCallback([held = std::move(last)](int) { return held; });
                last = std::move(next);
            }
        }
        CHECK(log.texts.empty());
    });
}

TEST_CASE("a million Deferreds joined by chainDeferred are fired without stack (DF-4)") {
    onSmallStack([] {
        Deferred<int> first;
        Deferred<int> last = first;
        for (int i = 0; i < kLinks; ++i) {
            Deferred<int> next;
            last.chainDeferred(next);
            last = std::move(next);
        }
        int seen = 0;
        last.addCallback([&](int x) { seen = x; });
        first.callback(3);
        CHECK(seen == 3);
    });
}

TEST_CASE("a coroutine suspends a million times without stack (IC-1)") {
    onSmallStack([] {
        std::optional<Deferred<>> next;
        int seen = 0;
        countdown(next, kLinks).addCallback([&](int x) { seen = x; });
        while (next) {
            const Deferred<> turn = *std::exchange(next, std::nullopt);
            turn.callback();
        }
        CHECK(seen == kLinks);
    });
}

TEST_CASE("a coroutine awaits a million fired Deferreds, and a million coroutines, without stack (IC-1)") {
    onSmallStack([] {
        int seen = 0;
        awaitsFired(kLinks).addCallback([&](int x) { seen = x; });
        CHECK(seen == kLinks);
        awaitsCoroutines(kLinks).addCallback([&](int x) { seen = x + 1; });
        CHECK(seen == kLinks + 1);
    });
}
