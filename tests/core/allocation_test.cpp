#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <thread>

#include <torsion/core/async_generator.hpp>
#include <torsion/core/defer.hpp>

// The sanitizers bring an operator new of their own, and the pool is off under them.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(TORSION_NO_COUNTING_NEW)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define TORSION_COUNTING_NEW 1
#endif
#else
#define TORSION_COUNTING_NEW 1
#endif
#endif

#if defined(TORSION_COUNTING_NEW)

namespace {

thread_local int allocations = 0;

}  // namespace

// Not inlined: g++ would see malloc meet delete, and take them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

using namespace torsion;

namespace {

/// How often @p f allocates on a thread whose pool is empty.
template <class F>
int allocationsOf(F f) {
    int count = 0;
    std::thread([&] {
        allocations = 0;
        f();
        count = allocations;
    }).join();
    return count;
}

Deferred<int> awaitsFired(Deferred<int> a, Deferred<int> b, int& spent) {
    const int before = allocations;
    const int x = co_await std::move(a);
    const int y = co_await std::move(b);
    spent = allocations - before;
    co_return x + y;
}

Deferred<int> awaitsUnfired(Deferred<int> a) {
    const int x = co_await std::move(a);
    co_return x;
}

AsyncGenerator<int> numbers(int end) {
    for (int i = 0; i < end; ++i) co_yield i;
}

}  // namespace

TEST_CASE("a Deferred with one callback that is fired costs one allocation (DF-1)") {
    int seen = 0;
    CHECK(allocationsOf([&] {
              Deferred<int> d;
              d.addCallback([&](int x) { seen = x; });
              d.callback(1);
          }) == 1);
    CHECK(seen == 1);
}

TEST_CASE("awaiting costs no allocation, the coroutine itself two: its frame and its Deferred (IC-1)") {
    int spent = -1;
    allocationsOf([&] { awaitsFired(defer::succeed(1), defer::succeed(2), spent); });
    CHECK(spent == 0);
    CHECK(allocationsOf([&] {
              Deferred<int> d;
              awaitsUnfired(d);
              d.callback(1);
          }) == 3);
}

TEST_CASE("a generator costs one allocation, and each value of its one (AG-6)") {
    CHECK(allocationsOf([] { static_cast<void>(numbers(3)); }) == 1);
    CHECK(allocationsOf([] {
              auto generator = numbers(3);
              const auto first = generator.next();
              const auto second = generator.next();
              const auto third = generator.next();
          }) == 4);
}

TEST_CASE("a thread that has made Deferreds before allocates nothing for the next (DF-1)") {
    int later = -1;
    allocationsOf([&] {
        for (int i = 0; i < 3; ++i) {
            allocations = 0;
            Deferred<int> d;
            awaitsUnfired(d).addCallback([](int x) { return x; }).addCallback([](int) {});
            d.callback(1);
            later = allocations;
        }
    });
    CHECK(later == 0);
}

TEST_CASE("cancelling and checking for it throws nothing and allocates nothing but the first time (DF-9)") {
    defer::fail(failureOf<defer::CancelledError>()).addErrback([] {});
    CHECK(allocationsOf([] {
              Deferred<int> d;
              d.addErrback([](const Failure& f) { return f.check<defer::CancelledError>() ? 1 : 0; });
              d.cancel();
          }) == 1);
}

#endif
