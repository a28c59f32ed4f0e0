#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include <torsion/core/defer.hpp>

#include "critical_log.hpp"

using namespace torsion;

namespace {

Deferred<int> answer() { co_return 42; }
Deferred<int> trouble() {
    throw ValueError("trouble");
    co_return 0;
}

}  // namespace

TEST_CASE("maybeDeferred makes a Deferred of whatever a function does (DF-3) (DV-3)") {
    int seen = 0;
    defer::maybeDeferred([](int x) { return x; }, 5).addCallback([&](int x) { seen = x; });
    CHECK(seen == 5);
    defer::maybeDeferred(answer).addCallback([&](int x) { seen = x; });
    CHECK(seen == 42);
    const Deferred<int> given;
    CHECK(defer::maybeDeferred([&] { return given; }) == given);
    std::string text;
    const auto note = [&](const Failure& f) { text = f.getErrorMessage(); };
    defer::maybeDeferred([]() -> int { throw ValueError("thrown"); }).addErrback(note);
    CHECK(text == "thrown");
    defer::maybeDeferred([] { return Failure(ValueError("returned")); }).addErrback(note);
    CHECK(text == "returned");
    defer::maybeDeferred(trouble).addErrback(note);
    CHECK(text == "trouble");
    bool ran = false;
    defer::maybeDeferred([] {}).addCallback([&] { ran = true; });
    CHECK(ran);
}

TEST_CASE("execute, succeed and fail make fired Deferreds (DF-1) (DV-3)") {
    std::string text;
    defer::execute([](const std::string& s) { return s + "!"; }, "hey").addCallback([&](const std::string& s) {
        text = s;
    });
    CHECK(text == "hey!");
    defer::execute([]() -> int { throw TypeError("no"); }).addErrback([&](const Failure& f) {
        text = f.getErrorMessage();
    });
    CHECK(text == "no");
    static_assert(std::is_same_v<decltype(defer::succeed()), Deferred<void>>);
    static_assert(std::is_same_v<decltype(defer::succeed<std::string>("x")), Deferred<std::string>>);
    static_assert(std::is_same_v<decltype(defer::fail(ValueError(""))), Deferred<void>>);
    CHECK_THROWS_AS(defer::fail(), RuntimeError);
}

TEST_CASE("logError logs a failure and hands it on (DF-3) (DV-4)") {
    CriticalLog log;
    bool handed = false;
    defer::fail<int>(ValueError("once")).addErrback(defer::logError).addErrback([&](const Failure& failure) {
        handed = failure.check<ValueError>();
        return 0;
    });
    CHECK(handed);
    CHECK(log.messages == std::vector<std::string>{"once"});
}

TEST_CASE("defer::TimeoutError is not torsion::TimeoutError (DF-13) (DV-18)") {
    CHECK_FALSE(Failure(defer::TimeoutError()).check<torsion::TimeoutError>());
    CHECK(Failure(defer::CancelledError()).getErrorMessage() == "The Deferred was cancelled.");
}

TEST_CASE("gatherResults gives the values in order, whenever they come (DF-16)") {
    Deferred<int> a;
    Deferred<> b;
    Deferred<std::unique_ptr<int>> c;
    std::string seen;
    defer::gatherResults(a, b, c).addCallback([&](const std::tuple<int, std::monostate, std::unique_ptr<int>>& all) {
        seen = std::to_string(std::get<0>(all)) + "," + std::to_string(*std::get<2>(all));
    });
    c.callback(std::make_unique<int>(3));
    b.callback();
    CHECK(seen.empty());
    a.callback(1);
    CHECK(seen == "1,3");
    CHECK_THROWS_AS(a.addCallback([](int) {}), StaleDeferred);
}

TEST_CASE("gatherResults of a vector, of Deferreds without value, and of none (DF-16) (DV-10)") {
    std::vector<Deferred<std::string>> some(3);
    std::vector<std::string> values;
    defer::gatherResults(some).addCallback([&](std::vector<std::string> v) { values = std::move(v); });
    some[2].callback("c");
    some[0].callback("a");
    some[1].callback("b");
    CHECK(values == std::vector<std::string>{"a", "b", "c"});
    std::vector<Deferred<>> silent;
    silent.push_back(defer::succeed());
    bool done = false;
    defer::gatherResults(silent).addCallback([&] { done = true; });
    CHECK(done);
    CHECK(defer::gatherResults(std::vector<Deferred<int>>()).called());
    CHECK(defer::gatherResults(std::vector<Deferred<>>()).called());
}

TEST_CASE("gatherResults fails at once with FirstError; later failures stay unhandled (DF-16) (DV-10)") {
    CriticalLog log;
    std::size_t index = 99;
    std::string text;
    {
        Deferred<int> a;
        Deferred<int> b;
        Deferred<int> c;
        defer::gatherResults(a, b, c).addErrback([&](const Failure& f) {
            REQUIRE(f.check<defer::FirstError>());
            index = f.value<defer::FirstError>()->index;
            text = f.value<defer::FirstError>()->subFailure.getErrorMessage();
        });
        b.errback(ValueError("first"));
        CHECK(index == 1);
        CHECK(text == "first");
        c.errback(ValueError("second"));
        a.callback(1);
    }
    CHECK(log.messages == std::vector<std::string>{"second"});
}

TEST_CASE(
    "cancelling gatherResults cancels every child that waits, and logs cancellers that throw (DF-12, DF-16) (DV-9)") {
    CriticalLog log;
    int cancels = 0;
    bool first = false;
    {
        const auto count = [&](Deferred<int>&) { ++cancels; };
        Deferred<int> a(count);
        Deferred<int> thrower([](Deferred<int>&) { throw ValueError("canceller"); });
        Deferred<int> b(count);
        auto all = defer::gatherResults(a, defer::succeed(1), thrower, b);
        all.addErrback(
            [&](const Failure& f) { first = f.value<defer::FirstError>()->subFailure.check<defer::CancelledError>(); });
        all.cancel();
    }
    CHECK(cancels == 2);
    CHECK(first);
    CHECK(log.texts.empty());
    CHECK(log.others == std::vector<std::string>{"Exception raised from user supplied canceller"});
}

TEST_CASE("children that nobody fires free what was gathered (DF-12)") {
    auto witness = std::make_shared<int>(0);
    {
        Deferred<int> a;
        Deferred<int> b;
        auto all = defer::gatherResults(a, b);
        all.addCallback([witness](const std::tuple<int, int>&) {});
        a.callback(1);
    }
    CHECK(witness.use_count() == 1);
}
