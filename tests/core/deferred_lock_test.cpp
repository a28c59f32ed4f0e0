#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/deferred_lock.hpp>
#include <torsion/core/deferred_queue.hpp>

#include "critical_log.hpp"

using namespace torsion;
using namespace torsion::defer;

TEST_CASE("a lock is given to one after the other, in the order of asking (DV-12)") {
    DeferredLock lock;
    std::string order;
    for (const char name : {'a', 'b', 'c'}) {
        lock.acquire().addCallback([&order, name] { order += name; });
    }
    CHECK(order == "a");
    CHECK(lock.locked());
    CHECK(lock.waiting() == 2);
    lock.release();
    CHECK(order == "ab");
    CHECK(lock.locked());  // handed over: nobody could come between
    lock.release();
    lock.release();
    CHECK(order == "abc");
    CHECK_FALSE(lock.locked());
    CHECK_THROWS_AS(lock.release(), RuntimeError);
}

TEST_CASE("a semaphore lets as many in as it has tokens, and no more (DV-13)") {
    CHECK_THROWS_AS(DeferredSemaphore(0), ValueError);
    DeferredSemaphore semaphore(3);
    int inside = 0;
    for (int i = 0; i < 5; ++i) semaphore.acquire().addCallback([&] { ++inside; });
    CHECK(inside == 3);
    CHECK(semaphore.available() == 0);
    CHECK(semaphore.waiting() == 2);
    CHECK(semaphore.limit() == 3);
    for (int i = 0; i < 5; ++i) semaphore.release();
    CHECK(inside == 5);
    CHECK(semaphore.available() == 3);
}

TEST_CASE("who cancels leaves the line, and takes no token with him (DF-9) (DV-14)") {
    DeferredLock lock;
    lock.acquire();
    bool cancelled = false, second = false;
    const Deferred<void> first = lock.acquire();
    first.addErrback([&](const Failure& failure) { cancelled = failure.check<CancelledError>(); });
    lock.acquire().addCallback([&] { second = true; });
    first.cancel();
    CHECK(cancelled);
    CHECK(lock.waiting() == 1);
    lock.release();
    CHECK(second);
}

TEST_CASE("run gives the token back whatever comes of the function (DV-15)") {
    DeferredLock lock;
    Deferred<int> slow;
    int value = 0;
    std::string why;
    lock.run([&](int) { return slow; }, 5).addCallback([&](int v) { value = v; });
    lock.run([]() -> int { throw ValueError("thrown"); }).addErrback([&](const Failure& failure) {
        why = failure.getErrorMessage();
        return 0;
    });
    CHECK(lock.locked());
    slow.callback(7);
    CHECK(value == 7);
    CHECK(why == "thrown");
    CHECK_FALSE(lock.locked());
}

namespace {

Deferred<void> guarded(DeferredLock& lock, Deferred<void> during, std::string& order) {
    auto held = co_await lock.hold();
    order += 'i';
    co_await std::move(during);
    order += 'o';
}

}  // namespace

TEST_CASE(
    "a coroutine that holds a token gives it back at its end, also by an exception or a cancellation (IC-2) (DV-15)") {
    DeferredLock lock;
    std::string order;
    const Deferred<void> good, bad;
    const auto first = guarded(lock, good, order);
    const auto second = guarded(lock, bad, order);
    const auto third = guarded(lock, Deferred<void>(), order);
    CHECK(order == "i");
    good.callback();
    CHECK(order == "ioi");
    bad.errback(ValueError("inside"));
    second.addErrback([] {});
    CHECK(order == "ioii");
    third.addErrback([] {});
    third.cancel();
    CHECK_FALSE(lock.locked());
}

TEST_CASE("those who wait for a semaphore that goes are destroyed with it, and a token may outlive it") {
    const auto kept = std::make_shared<int>(0);
    auto lock = std::make_unique<DeferredLock>();
    std::optional<DeferredSemaphore::Held> held;
    lock->hold().addCallback([&](DeferredSemaphore::Held token) { held.emplace(std::move(token)); });
    lock->acquire().addCallback([kept] {});
    CHECK(kept.use_count() == 2);
    held.reset();
    CHECK(kept.use_count() == 1);
    lock->acquire().addCallback([kept] {});
    CHECK(kept.use_count() == 2);
    lock.reset();
    CHECK(kept.use_count() == 1);
}

TEST_CASE("an event fires all who wait, in order, and at once those who come later") {
    DeferredEvent event;
    std::string order;
    event.wait().addCallback([&] {
        order += 'a';
        event.clear();
        event.wait().addCallback([&] { order += 'c'; });  // the next time
    });
    event.wait().addCallback([&] { order += 'b'; });
    const Deferred<void> gone = event.wait();
    gone.addErrback([] {});
    gone.cancel();
    event.set();
    CHECK(order == "ab");
    CHECK_FALSE(event.isSet());
    event.set();
    CHECK(order == "abc");
    event.wait().addCallback([&] { order += 'd'; });
    CHECK(order == "abcd");
}

TEST_CASE("a queue hands out values in the order of putting, to those who ask in the order of asking (DV-16)") {
    DeferredQueue<std::unique_ptr<int>> queue(2, 2);
    std::vector<int> got;
    const auto note = [&](std::unique_ptr<int> value) { got.push_back(*value); };
    queue.put(std::make_unique<int>(1));
    queue.put(std::make_unique<int>(2));
    CHECK_THROWS_AS(queue.put(std::make_unique<int>(3)), QueueOverflow);
    CHECK(queue.pending() == 2);
    queue.get().addCallback(note);
    queue.get().addCallback(note);
    queue.get().addCallback(note);
    queue.get().addCallback(note);
    CHECK(got == std::vector<int>{1, 2});
    CHECK_THROWS_AS(queue.get(), QueueUnderflow);
    CHECK(queue.waiting() == 2);
    queue.put(std::make_unique<int>(3));
    queue.put(std::make_unique<int>(4));
    CHECK(got == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("a request that is cancelled takes no value from a queue (DF-9) (DV-17)") {
    DeferredQueue<int> queue(1, DeferredQueue<int>::kUnbounded);
    const Deferred<int> first = queue.get();
    first.addErrback([] {});
    first.cancel();
    queue.put(5);
    int got = 0;
    queue.get().addCallback([&](int value) { got = value; });
    CHECK(got == 5);
}
