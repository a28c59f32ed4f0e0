#include <doctest/doctest.h>

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/async_generator.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/deferred_queue.hpp>
#include <torsion/testing/clock.hpp>

#include "critical_log.hpp"
#include "small_stack.hpp"
#include "witness.hpp"

using namespace torsion;
using namespace std::chrono_literals;

namespace {

using Trace = std::vector<std::string>;
using Numbers = defer::DeferredQueue<int>;

constexpr int kMany = 1'000'000;

AsyncGenerator<int> upTo(int end, int& alive) {
    const Witness witness(alive);
    for (int i = 0; i < end; ++i) co_yield i;
}

AsyncGenerator<int> ones(int end, int& alive) {
    const Witness witness(alive);
    for (int i = 0; i < end; ++i) co_yield 1;
}

/// The squares of what the queue gives; 0 ends it, and what is below is an error.
AsyncGenerator<int> squares(Numbers& queue, int& alive) {
    const Witness witness(alive);
    for (;;) {
        const int number = co_await queue.get();
        if (number < 0) throw ValueError("negative");
        if (number == 0) co_return;
        const int square = number * number;
        co_yield square;
    }
}

Deferred<int> sum(AsyncGenerator<int> generator) {
    int total = 0;
    for (;;) {
        const auto item = co_await generator.next();
        if (!item) break;
        total += *item;
    }
    co_return total;
}

/// Yields at every other turn only.
AsyncGenerator<int> inTurns(std::optional<Deferred<>>& turn, int end) {
    for (int i = 0; i < end; ++i) {
        if (i % 2 == 0) {
            Deferred<> next;
            turn = next;
            co_await std::move(next);
        }
        co_yield 1;
    }
}

AsyncGenerator<int> stubborn(Numbers& queue, Trace& trace) {
    for (;;) {
        int number = 0;
        try {
            number = co_await queue.get();
        } catch (const defer::CancelledError&) {
            trace.emplace_back("cancelled");
            number = -1;
        }
        co_yield number;
    }
}

AsyncGenerator<std::unique_ptr<int>> pointers() {
    co_yield std::make_unique<int>(1);
    auto second = std::make_unique<int>(2);
    co_yield std::move(second);
}

AsyncGenerator<std::string> words(std::string prefix) {
    for (const char* word : {"a rather long word, no place for it inside", "b"}) {
        std::string text = prefix + word;
        co_yield std::move(text);
        co_yield prefix + word;
    }
}

AsyncGenerator<int> doubled(AsyncGenerator<int> inner) {
    for (;;) {
        const auto item = co_await inner.next();
        if (!item) break;
        const int twice = *item * 2;
        co_yield twice;
    }
}

/// An awaitable of another library's, which resumes by the handle.
struct Foreign {
    std::coroutine_handle<>* frame;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const noexcept { *frame = suspended; }
    void await_resume() const noexcept {}
};

AsyncGenerator<int> foreign(std::coroutine_handle<>& frame) {
    const Foreign other{&frame};
    co_await other;
    co_yield 1;
    co_await other;
}

Deferred<int> sumAndMore(AsyncGenerator<int>& numbers) {
    int total = 0;
    for (;;) {
        const auto number = co_await numbers.next();
        if (!number) break;
        total += *number;
    }
    const auto more = co_await numbers.next();
    co_return more ? -1 : total;
}

/// Asks its own generator for more when it ends.
AsyncGenerator<int> nosy(AsyncGenerator<int>*& self, std::optional<Deferred<std::optional<int>>>& more) {
    struct Local {
        AsyncGenerator<int>*& self;
        std::optional<Deferred<std::optional<int>>>& more;
        ~Local() { more = self->next(); }
    };
    const Local local{self, more};
    co_yield 1;
}

}  // namespace

TEST_CASE("a generator's body begins at the first next, and stands still between its values (AG-1)") {
    int alive = 0;
    auto numbers = upTo(2, alive);
    CHECK(alive == 0);
    Trace trace;
    for (int i = 0; i < 4; ++i) {
        numbers.next().addCallback(
            [&](std::optional<int> item) { trace.push_back(item ? std::to_string(*item) : "end"); });
        CHECK(alive == (i < 2 ? 1 : 0));
    }
    CHECK(trace == Trace{"0", "1", "end", "end"});
    CHECK(numbers.finished());
}

TEST_CASE("a generator awaits between its values, and its reader gets each as it comes (AG-1)") {
    Numbers queue(10, 1);
    int alive = 0;
    int total = 0;
    sum(squares(queue, alive)).addCallback([&](int all) { total = all; });
    queue.put(2);
    queue.put(3);
    CHECK(alive == 1);
    queue.put(0);
    CHECK(total == 13);
    CHECK(alive == 0);
}

TEST_CASE("what leaves a generator's body comes out of next, and is its end (AG-2)") {
    Numbers queue(10, 1);
    int alive = 0;
    auto generator = squares(queue, alive);
    queue.put(-1);
    std::string why;
    generator.next().addErrback([&](const Failure& failure) {
        why = failure.getErrorMessage();
        return std::optional<int>();
    });
    CHECK(why == "negative");
    CHECK(alive == 0);
    CHECK(generator.finished());
}

TEST_CASE("cancelling a next reaches what the body awaits, and the body decides (AG-3, IC-3)") {
    Numbers queue(10, 1);
    int alive = 0;
    auto giving = squares(queue, alive);
    bool cancelled = false;
    const auto item = giving.next();
    item.addErrback([&](const Failure& failure) {
        cancelled = failure.check<defer::CancelledError>();
        return std::optional<int>();
    });
    CHECK(queue.waiting() == 1);
    item.cancel();
    CHECK(cancelled);
    CHECK(queue.waiting() == 0);
    CHECK(alive == 0);

    Trace trace;
    auto going = stubborn(queue, trace);
    int seen = 0;
    const auto first = going.next();
    first.addCallback([&](std::optional<int> value) { seen = value.value(); });
    first.cancel();
    CHECK(seen == -1);
    queue.put(5);
    going.next().addCallback([&](std::optional<int> value) { seen = value.value(); });
    CHECK(seen == 5);
    CHECK(trace == Trace{"cancelled"});
}

TEST_CASE("a generator that stands still dies with its handle, one that awaits at its next value (AG-4)") {
    Numbers queue(10, 1);
    int alive = 0;
    {
        auto standing = squares(queue, alive);
        queue.put(1);
        standing.next();
        CHECK(alive == 1);
    }
    CHECK(alive == 0);

    int seen = 0;
    {
        auto awaiting = squares(queue, alive);
        awaiting.next().addCallback([&](std::optional<int> value) { seen = value.value(); });
    }
    CHECK(alive == 1);
    queue.put(3);
    CHECK(seen == 9);
    CHECK(alive == 0);

    { const auto never = upTo(1, alive); }
    CHECK(alive == 0);
}

TEST_CASE("a generator dies with the producer of what it awaits, and so does who awaits it (AG-4, IC-1)") {
    int alive = 0;
    bool told = false;
    {
        Numbers queue(10, 1);
        sum(squares(queue, alive)).addBoth([&] { told = true; });
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
    CHECK_FALSE(told);

    auto queue = std::make_unique<Numbers>(10, 1);
    auto generator = squares(*queue, alive);
    const auto item = generator.next();
    CHECK_FALSE(generator.finished());
    queue.reset();
    CHECK(generator.finished());
    CHECK_FALSE(item.called());
}

TEST_CASE("a generator may be moved, also while it awaits, and replaced (AG-4)") {
    Numbers queue(10, 1);
    int alive = 0;
    auto first = squares(queue, alive);
    int seen = 0;
    first.next().addCallback([&](std::optional<int> value) { seen = value.value(); });
    auto second = std::move(first);
    queue.put(2);
    CHECK(seen == 4);
    queue.put(3);
    second.next().addCallback([&](std::optional<int> value) { seen = value.value(); });
    CHECK(seen == 9);
    second = upTo(1, alive);
    CHECK(alive == 0);
    second.next().addCallback([&](std::optional<int> value) { seen = value.value(); });
    CHECK(seen == 0);
}

TEST_CASE("a second next while one is under way is an error (AG-5)") {
    Numbers queue(10, 1);
    int alive = 0;
    auto generator = squares(queue, alive);
    const auto item = generator.next();
    CHECK_THROWS_AS(generator.next(), RuntimeError);
    queue.put(1);
    CHECK(item.called());
    CHECK_NOTHROW(generator.next());
}

TEST_CASE("a generator's end may come from inside: its reader may drop it while a value comes (AG-4)") {
    Numbers queue(10, 1);
    int alive = 0;
    auto generator = std::make_unique<AsyncGenerator<int>>(squares(queue, alive));
    int seen = 0;
    generator->next().addCallback([&](std::optional<int> value) {
        seen = value.value();
        generator.reset();
    });
    queue.put(2);
    CHECK(seen == 4);
    CHECK(alive == 0);
}

TEST_CASE("values that can only be moved, and texts, come out of generators (AG-1)") {
    auto two = pointers();
    int total = 0;
    for (int i = 0; i < 2; ++i) {
        two.next().addCallback([&](std::optional<std::unique_ptr<int>> item) { total += **item; });
    }
    CHECK(total == 3);

    auto texts = words("> ");
    Trace trace;
    while (!texts.finished()) {
        texts.next().addCallback([&](std::optional<std::string> item) { trace.push_back(item.value_or("end")); });
    }
    CHECK(trace == Trace{"> a rather long word, no place for it inside", "> a rather long word, no place for it inside",
                         "> b", "> b", "end"});
}

TEST_CASE("generators may read generators (AG-1)") {
    Numbers queue(10, 1);
    int alive = 0;
    int total = 0;
    sum(doubled(doubled(squares(queue, alive)))).addCallback([&](int all) { total = all; });
    for (const int number : {1, 2, 3, 0}) queue.put(number);
    CHECK(total == 56);
    CHECK(alive == 0);
}

TEST_CASE("a next may have a deadline (AG-3, DF-13)") {
    task::Clock clock;
    Numbers queue(10, 1);
    int alive = 0;
    auto generator = squares(queue, alive);
    bool late = false;
    generator.next().addTimeout(2s, clock).addErrback([&](const Failure& failure) {
        late = failure.check<defer::TimeoutError>();
        return std::optional<int>();
    });
    clock.advance(2s);
    CHECK(late);
    CHECK(alive == 0);
}

TEST_CASE("a million values take no stack, whether they are there or come in turns (AG-6)") {
    onSmallStack([] {
        int alive = 0;
        int total = 0;
        sum(ones(kMany, alive)).addCallback([&](int all) { total = all; });
        CHECK(total == kMany);
        CHECK(alive == 0);

        std::optional<Deferred<>> turn;
        total = 0;
        sum(inTurns(turn, kMany)).addCallback([&](int all) { total = all; });
        while (turn) {
            const Deferred<> next = *std::exchange(turn, std::nullopt);
            next.callback();
        }
        CHECK(total == kMany);
    });
}

TEST_CASE("who hears of the end from inside the body finds a generator that has finished") {
    std::coroutine_handle<> frame;
    auto generator = foreign(frame);
    int total = 0;
    sumAndMore(generator).addCallback([&](int all) { total = all; });
    frame.resume();
    frame.resume();
    CHECK(total == 1);
    CHECK(generator.finished());
}

TEST_CASE("a body that is destroyed may ask its generator for more, and gets nothing") {
    AsyncGenerator<int>* self = nullptr;
    std::optional<Deferred<std::optional<int>>> more;
    auto generator = std::make_unique<AsyncGenerator<int>>(nosy(self, more));
    self = generator.get();
    static_cast<void>(generator->next());
    generator.reset();
    REQUIRE(more.has_value());
    bool end = false;
    more->addCallback([&](std::optional<int> item) { end = !item; });
    CHECK(end);
}
