#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <torsion/core/defer.hpp>

using namespace torsion;

namespace {

struct Base {
    virtual ~Base() = default;
};
struct Derived : Base {};

int twice(int x) { return 2 * x; }

}  // namespace

TEST_CASE("each callback's return type is the next handle's (DF-3)") {
    const Deferred<int> d;
    static_assert(std::is_same_v<decltype(d.addCallback([](int) { return 1.5; })), Deferred<double>>);
    static_assert(std::is_same_v<decltype(d.addCallback([](int) {})), Deferred<void>>);
    static_assert(std::is_same_v<decltype(d.addCallback([] { return std::string(); })), Deferred<std::string>>);
    static_assert(std::is_same_v<decltype(d.addCallback([](int) { return Deferred<char>(); })), Deferred<char>>);
    static_assert(std::is_same_v<decltype(d.addCallback([](int) { return Failure(ValueError("")); })), Deferred<int>>);
    static_assert(std::is_same_v<decltype(d.addCallback([](int) { return defer::Result<long>(1L); })), Deferred<long>>);
    static_assert(std::is_same_v<decltype(d.addErrback([](const Failure& f) { return f; })), Deferred<int>>);
    static_assert(std::is_same_v<decltype(d.addErrback([] { return short{1}; })), Deferred<int>>);
    static_assert(std::is_same_v<decltype(d.addErrback([](Failure) {})), Deferred<void>>);
    static_assert(std::is_same_v<decltype(d.addErrback([] { return Deferred<int>(); })), Deferred<int>>);
    static_assert(
        std::is_same_v<decltype(d.addCallbacks([](int) { return 1.5; }, [] { return 2; })), Deferred<double>>);
    static_assert(std::is_same_v<decltype(d.addCallbacks([](int) { return 1.5; }, [] {})), Deferred<void>>);
    static_assert(std::is_same_v<decltype(d.addBoth([] { return 'c'; })), Deferred<char>>);
    static_assert(std::is_same_v<decltype(d.addBoth([](defer::Result<int> r) { return r; })), Deferred<int>>);
    static_assert(!std::is_convertible_v<Deferred<int>, Deferred<long>>);
    static_assert(!std::is_constructible_v<Deferred<long>, Deferred<int>>);
    static_assert(!std::is_convertible_v<const char*, Deferred<std::string>>);
}

TEST_CASE("a success is dropped by an errback that returns nothing (DF-3)") {
    int calls = 0;
    defer::succeed(std::string("value")).addErrback([] {}).addCallback([&] { ++calls; });
    defer::succeed(1).addCallbacks([](int x) { return x; }, [] {}).addCallback([&] { ++calls; });
    defer::succeed(1).addCallbacks([](int x) { return defer::succeed(x); }, [] {}).addCallback([&] { ++calls; });
    CHECK(calls == 3);
}

TEST_CASE("adding through a handle whose value has been changed throws StaleDeferred, naming both types (DF-4)") {
    Deferred<int> d;
    auto text = d.addCallback([](int x) { return std::to_string(x); });
    try {
        d.addCallback([](int) {});
        FAIL("stale handle accepted");
    } catch (const StaleDeferred& error) {
        const std::string what = error.what();
        CHECK(what.find("Deferred<int>") != std::string::npos);
        CHECK(what.find("basic_string") != std::string::npos);
        CHECK(what.find("deferred_types_test.cpp:") != std::string::npos);
    }
    CHECK_THROWS_AS(text.callback("x"), StaleDeferred);
    std::string seen;
    text.addCallback([&](const std::string& s) { seen = s; });
    d.callback(4);
    CHECK(seen == "4");
}

TEST_CASE("returning a Deferred claims its value at once (DF-4)") {
    Deferred<int> inner;
    auto outer = defer::succeed().addCallback([&] { return inner; });
    CHECK_THROWS_AS(inner.addCallback([](int) {}), StaleDeferred);
    int seen = 0;
    outer.addCallback([&](int x) { seen = x; });
    inner.callback(3);
    CHECK(seen == 3);
    auto twiceReturned = defer::succeed().addCallback([&] { return inner; });
    bool stale = false;
    twiceReturned.addErrback([&](const Failure& f) { stale = f.check<StaleDeferred>(); });
    CHECK(stale);
}

TEST_CASE("a handle that was moved from is empty, and says so (DF-1)") {
    Deferred<int> a;
    Deferred<int> b = std::move(a);
    CHECK_FALSE(a.valid());  // NOLINT: that is the point
    CHECK_FALSE(static_cast<bool>(a));
    CHECK_THROWS_AS(a.callback(1), StaleDeferred);
    CHECK_THROWS_AS(a.addCallback([](int) {}), StaleDeferred);
    CHECK_THROWS_AS(a.cancel(), StaleDeferred);
    CHECK_THROWS_AS(b.chainDeferred(a), StaleDeferred);
    Deferred<int> c = b;
    CHECK(c == b);
    CHECK_FALSE(c == Deferred<int>());
}

TEST_CASE("move-only values pass through callbacks (DF-3)") {
    Deferred<std::unique_ptr<int>> d;
    int seen = 0;
    d.addCallback([](std::unique_ptr<int> p) {
         ++*p;
         return p;
     })
        .addCallback([](std::unique_ptr<int>&& p) { return std::move(p); })
        .addBoth([](defer::Result<std::unique_ptr<int>> r) { return r; })
        .addCallback([](std::unique_ptr<int> p) { return defer::succeed(std::move(p)); })
        .addErrback([](const Failure& f) { return f; })
        .addCallback([&](const std::unique_ptr<int>& p) { seen = *p; });
    d.callback(std::make_unique<int>(1));
    CHECK(seen == 2);
}

TEST_CASE("values too large for the core are boxed and freed (DF-4)") {
    using Large = std::array<std::string, 20>;
    Large large;
    large[19] = "a text too long for the small string buffer";
    std::string seen;
    Deferred<Large> inner;
    defer::succeed().addCallback([&] { return inner; }).addCallback([&](const Large& l) {
        seen = l[19];
        return l;
    });
    inner.callback(large);
    CHECK(seen == large[19]);
    struct alignas(64) Strict {
        explicit Strict(int n) : number(n) {}
        int number;
    };
    int number = 0;
    defer::succeed().addCallback([] { return Strict(5); }).addCallback([&](const Strict& s) {
        number = reinterpret_cast<std::uintptr_t>(&s) % 64 == 0 ? s.number : -1;
    });
    CHECK(number == 5);
}

TEST_CASE("shared pointers convert in a callback (DF-3)") {
    Deferred<std::shared_ptr<Derived>> d;
    auto base = d.addCallback([](std::shared_ptr<Derived> p) -> std::shared_ptr<Base> { return p; });
    static_assert(std::is_same_v<decltype(base), Deferred<std::shared_ptr<Base>>>);
    Base* seen = nullptr;
    base.addErrback([](const Failure&) { return nullptr; }).addCallback([&](const std::shared_ptr<Base>& p) {
        seen = p.get();
    });
    auto object = std::make_shared<Derived>();
    d.callback(object);
    CHECK(seen == object.get());
    Deferred<std::shared_ptr<Base>> direct;
    direct.callback(object);
}

TEST_CASE("functions, functors with large captures, and generic lambdas are callbacks too (DF-1)") {
    int seen = 0;
    std::array<int, 40> large{};
    large[39] = 1;
    defer::succeed(4)
        .addCallback(twice)
        .addCallback(&twice)
        .addCallback(std::function<int(int)>(twice))
        .addCallback([large](auto x) { return x + large[39]; })
        .addCallback([&](const auto& x) { seen = x; });
    CHECK(seen == 33);
}

TEST_CASE("captures are freed when the callback has run, and when its turn never comes (DF-12)") {
    auto witness = std::make_shared<int>(0);
    {
        Deferred<int> d;
        d.addErrback([witness](const Failure& f) { return f; })
            .addCallback([witness](int x) { return x; })
            .addCallback([witness, filler = std::array<int, 40>{}](int x) { return x + filler[0]; });
        CHECK(witness.use_count() == 4);
        d.callback(1);
        CHECK(witness.use_count() == 1);
        d.pause();
        d.addCallback([witness](int x) { return x; });
        CHECK(witness.use_count() == 2);
    }
    CHECK(witness.use_count() == 1);
}
