#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include <torsion/core/defer.hpp>

#include "critical_log.hpp"

using namespace torsion;

namespace {

using Trace = std::vector<std::string>;

}  // namespace

TEST_CASE("callbacks run in order, inside callback() (DF-1)") {
    Trace trace;
    Deferred<int> d;
    auto rest = d.addCallback([&](int x) {
                     trace.push_back(std::to_string(x));
                     return x + 1;
                 }).addCallback([&](int x) {
        trace.push_back(std::to_string(x));
        return x + 1;
    });
    CHECK_FALSE(d.called());
    d.callback(1);
    CHECK(trace == Trace{"1", "2"});
    CHECK(d.called());
    rest.addCallback([&](int x) { trace.push_back(std::to_string(x)); });
    CHECK(trace == Trace{"1", "2", "3"});
}

TEST_CASE("a callback added to a fired Deferred runs inside addCallback (DF-1)") {
    int seen = 0;
    defer::succeed(5).addCallback([&](int x) { seen = x; });
    CHECK(seen == 5);
}

TEST_CASE("an exception of the callback is not seen by the errback of its pair (DF-2)") {
    Trace trace;
    defer::succeed(1)
        .addCallbacks([](int) -> int { throw ValueError("boom"); },
                      [&](const Failure&) {
                          trace.emplace_back("same pair");
                          return 0;
                      })
        .addErrback([&](const Failure& failure) { trace.push_back(failure.getErrorMessage()); });
    CHECK(trace == Trace{"boom"});
}

TEST_CASE("throwing and returning a Failure lead to the errbacks, a value leads back (DF-3)") {
    Trace trace;
    defer::succeed(1)
        .addCallback([](int) { return Failure(ValueError("returned")); })
        .addCallback([&](int) {
            trace.emplace_back("never");
            return 0;
        })
        .addErrback([&](const Failure& failure) {
            trace.push_back(failure.getErrorMessage());
            return 7;
        })
        .addErrback([&](const Failure&) {
            trace.emplace_back("never");
            return 0;
        })
        .addCallback([&](int x) {
            trace.push_back(std::to_string(x));
            throw ValueError("thrown");
        })
        .addBoth([&](defer::Result<void> result) { trace.push_back(result.failure().getErrorMessage()); });
    CHECK(trace == Trace{"returned", "7", "thrown"});
}

TEST_CASE("an errback may pass the failure on, or raise another (DF-3)") {
    Trace trace;
    defer::fail<int>(ValueError("first"))
        .addErrback([](const Failure& failure) { return failure; })
        .addErrback([&](const Failure& failure) -> int {
            trace.push_back(failure.getErrorMessage());
            throw TypeError("second");
        })
        .addErrback([&](Failure failure) { trace.push_back(failure.getErrorMessage()); });
    CHECK(trace == Trace{"first", "second"});
}

TEST_CASE("addBoth passes on the Result it returns (DF-3)") {
    int seen = 0;
    bool cleaned = false;
    const auto cleanup = [&](defer::Result<int> result) {
        cleaned = true;
        return result;
    };
    defer::succeed(3).addBoth(cleanup).addCallback([&](int x) { seen = x; });
    CHECK((cleaned && seen == 3));
    std::string text;
    defer::fail<int>(ValueError("e")).addBoth(cleanup).addErrback([&](const Failure& f) {
        text = f.getErrorMessage();
    });
    CHECK(text == "e");
}

TEST_CASE("a returned Deferred makes the outer one wait, and its result moves out (DF-4)") {
    Deferred<std::string> inner;
    Deferred<int> outer;
    std::string seen;
    auto rest = outer.addCallback([&](int) { return inner; });
    rest.addCallback([&](const std::string& s) { seen = s; });
    outer.callback(1);
    CHECK(outer.called());
    CHECK(outer.paused());
    CHECK(seen.empty());
    inner.callback("late");
    CHECK(seen == "late");
    CHECK_FALSE(outer.paused());
    CHECK_THROWS_AS(inner.addCallback([](const std::string&) {}), StaleDeferred);
}

TEST_CASE("the failure of a returned Deferred belongs to the outer one alone (DF-4)") {
    CriticalLog log;
    std::string seen;
    {
        Deferred<int> inner;
        auto outer = defer::succeed(1).addCallback([&](int) { return inner; });
        inner.errback(ValueError("inner"));
        outer.addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
    }
    CHECK(seen == "inner");
    CHECK(log.texts.empty());
}

TEST_CASE("a fired, unpaused inner Deferred gives its result without a pause (DF-5)") {
    Deferred<int> outer;
    int seen = 0;
    outer.addCallback([](int x) { return defer::succeed(x * 2); }).addCallback([&](int x) { seen = x; });
    outer.callback(4);
    CHECK(seen == 8);
    CHECK_FALSE(outer.paused());
}

TEST_CASE("a fired but paused inner Deferred is waited for (DF-5)") {
    auto inner = defer::succeed(7);
    inner.pause();
    int seen = 0;
    defer::succeed(0).addCallback([&](int) { return inner; }).addCallback([&](int x) { seen = x; });
    CHECK(seen == 0);
    inner.unpause();
    CHECK(seen == 7);
}

TEST_CASE("a callback added by a running callback comes last, not nested (DF-6)") {
    Trace trace;
    Deferred<int> d;
    std::optional<Deferred<int>> tail;
    d.addCallback([&](int x) {
        tail->addCallback([&](int y) { trace.push_back("added " + std::to_string(y)); });
        trace.emplace_back("first");
        return x + 1;
    });
    tail = d.addCallback([&](int x) {
        trace.emplace_back("second");
        return x + 1;
    });
    d.callback(1);
    CHECK(trace == Trace{"first", "second", "added 3"});
}

TEST_CASE("firing twice throws AlreadyCalledError, which says where the Deferred was made (DF-7)") {
    Deferred<int> d;
    d.callback(1);
    CHECK_THROWS_AS(d.callback(2), defer::AlreadyCalledError);
    CHECK_THROWS_AS(d.errback(ValueError("x")), defer::AlreadyCalledError);
    Deferred<int> failed;
    failed.errback(ValueError("x"));
    CHECK_THROWS_AS(failed.callback(2), defer::AlreadyCalledError);
    failed.addErrback([] {});
    try {
        d.callback(3);
    } catch (const defer::AlreadyCalledError& error) {
        CHECK(std::string(error.what()).find("deferred_test.cpp:") != std::string::npos);
    }
}

TEST_CASE("errback without argument takes the current exception, and needs one (DF-8)") {
    Deferred<int> d;
    CHECK_THROWS_AS(d.errback(), RuntimeError);
    CHECK_FALSE(d.called());
    try {
        throw ValueError("now");
    } catch (...) {
        d.errback();
    }
    std::string seen;
    d.addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
    CHECK(seen == "now");
}

TEST_CASE("cancel calls the canceller, and fails with CancelledError unless that fires (DF-9)") {
    SUBCASE("canceller does nothing") {
        int calls = 0;
        bool cancelled = false;
        Deferred<int> d([&](Deferred<int>&) { ++calls; });
        d.addErrback([&](const Failure& f) { cancelled = f.check<defer::CancelledError>(); });
        d.cancel();
        d.cancel();
        CHECK(calls == 1);
        CHECK(cancelled);
        CHECK_THROWS_AS(d.callback(1), defer::AlreadyCalledError);
    }
    SUBCASE("canceller gives a value") {
        int seen = 0;
        Deferred<int> d([](Deferred<int>& self) { self.callback(9); });
        d.addCallback([&](int x) { seen = x; });
        d.cancel();
        CHECK(seen == 9);
    }
    SUBCASE("canceller gives another failure") {
        std::string seen;
        Deferred<int> d([](Deferred<int>& self) { self.errback(ValueError("other")); });
        d.addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
        d.cancel();
        CHECK(seen == "other");
    }
    SUBCASE("canceller throws: cancel throws, and nothing has fired") {
        Deferred<int> d([](Deferred<int>&) { throw ValueError("canceller"); });
        CHECK_THROWS_AS(d.cancel(), ValueError);
        CHECK_FALSE(d.called());
        CHECK_THROWS_AS(d.cancel(), ValueError);
    }
}

TEST_CASE("without a canceller one later firing is swallowed, the next throws (DF-10)") {
    Deferred<int> d;
    bool cancelled = false;
    d.addErrback([&](const Failure& f) { cancelled = f.check<defer::CancelledError>(); });
    d.cancel();
    CHECK(cancelled);
    CHECK_NOTHROW(d.callback(1));
    CHECK_THROWS_AS(d.callback(2), defer::AlreadyCalledError);
}

TEST_CASE("cancel of a Deferred that waits cancels the inner one, otherwise a fired one is left alone (DF-11)") {
    int cancels = 0;
    Deferred<int> inner([&](Deferred<int>&) { ++cancels; });
    Deferred<int> middle;
    Deferred<int> outer;
    bool cancelled = false;
    middle.addCallback([&](int) { return inner; });
    outer.addCallback([&](int) { return middle; }).addErrback([&](const Failure& f) {
        cancelled = f.check<defer::CancelledError>();
    });
    middle.callback(1);
    outer.callback(1);
    outer.cancel();
    CHECK(cancels == 1);
    CHECK(cancelled);
    outer.cancel();
    CHECK(cancels == 1);
    auto fired = defer::succeed(1);
    fired.cancel();
    int seen = 0;
    fired.addCallback([&](int x) { seen = x; });
    CHECK(seen == 1);
}

TEST_CASE("the canceller is destroyed when the Deferred fires (DF-12)") {
    auto witness = std::make_shared<int>(0);
    Deferred<int> d([witness](Deferred<int>&) {});
    CHECK(witness.use_count() == 2);
    d.callback(1);
    CHECK(witness.use_count() == 1);
    Deferred<int> cancelled([witness](Deferred<int>& self) { self.callback(static_cast<int>(witness.use_count())); });
    cancelled.cancel();
    CHECK(witness.use_count() == 1);
}

TEST_CASE("an unhandled failure is logged as critical when the last handle goes, never thrown (DF-14)") {
    CriticalLog log;
    {
        Deferred<int> d;
        Deferred<int> copy = d;
        d.errback(ValueError("lost"));
        d = Deferred<int>();
        CHECK(log.texts.empty());
    }
    REQUIRE(log.texts.size() == 1);
    CHECK(log.texts[0].starts_with("Unhandled error in Deferred (created at "));
    CHECK(log.texts[0].find("deferred_test.cpp:") != std::string::npos);
    CHECK(log.messages[0] == "lost");
}

TEST_CASE("a handled failure is not logged; one that an errback raises anew is (DF-14)") {
    CriticalLog log;
    defer::fail<int>(ValueError("handled")).addErrback([](const Failure&) {});
    CHECK(log.texts.empty());
    defer::fail<int>(ValueError("old")).addErrback([](const Failure&) { throw ValueError("new"); });
    CHECK(log.messages == Trace{"new"});
}

TEST_CASE("debug mode notes the first firing (DF-15)") {
    defer::setDebugging(true);
    CHECK(defer::getDebugging());
    Deferred<int> d;
    const int firstLine = __LINE__ + 1;
    d.callback(1);
    defer::setDebugging(false);
    try {
        d.callback(2);
        FAIL("fired twice");
    } catch (const defer::AlreadyCalledError& error) {
        const std::string text = error.what();
        CHECK(text.find("first at ") != std::string::npos);
        CHECK(text.find("deferred_test.cpp:" + std::to_string(firstLine)) != std::string::npos);
    }
}

TEST_CASE("pause nests, and holds callbacks back until the last unpause (DF-1) (DV-1)") {
    Deferred<int> d;
    int seen = 0;
    d.addCallback([&](int x) { seen = x; });
    d.pause();
    d.pause();
    d.callback(3);
    CHECK(d.paused());
    d.unpause();
    CHECK(seen == 0);
    d.unpause();
    CHECK(seen == 3);
    CHECK_FALSE(d.paused());
    CHECK_THROWS_AS(d.unpause(), RuntimeError);
}

TEST_CASE("a callback may pause its own Deferred (DF-6)") {
    Deferred<int> d;
    Trace trace;
    d.addCallback([&](int x) {
         d.pause();
         return x;
     }).addCallback([&](int) { trace.emplace_back("after"); });
    d.callback(1);
    CHECK(trace.empty());
    d.unpause();
    CHECK(trace == Trace{"after"});
}

TEST_CASE("chainDeferred fires the other with value or failure, and keeps nothing (DF-4) (DV-2)") {
    CriticalLog log;
    Deferred<std::string> a;
    Deferred<std::string> b;
    std::string seen;
    b.addCallback([&](const std::string& s) { seen = s; });
    bool after = false;
    a.chainDeferred(b).addCallback([&] { after = true; });
    a.callback("x");
    CHECK(seen == "x");
    CHECK(after);
    Deferred<int> c;
    Deferred<int> d;
    d.addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
    c.chainDeferred(d);
    c.errback(ValueError("chained"));
    CHECK(seen == "chained");
    CHECK(log.texts.empty());
}

TEST_CASE("chainDeferred to a fired Deferred fails the first with AlreadyCalledError (DF-7)") {
    Deferred<int> a;
    bool already = false;
    a.chainDeferred(defer::succeed(1)).addErrback([&](const Failure& f) {
        already = f.check<defer::AlreadyCalledError>();
    });
    a.callback(2);
    CHECK(already);
}

TEST_CASE("a callback that returns the Deferred it was added to makes an error, not a deadlock (DF-4)") {
    Deferred<void> d;
    std::string seen;
    d.addCallback([&] { return d; }).addErrback([&](const Failure& f) { seen = f.getErrorMessage(); });
    d.callback();
    CHECK(seen.find("attached to") != std::string::npos);
}

TEST_CASE("the last handle may go while its callbacks run (DF-6)") {
    std::optional<Deferred<int>> d;
    d.emplace();
    int seen = 0;
    d->addCallback([&](int x) {
         d.reset();
         return x;
     }).addCallback([&](int x) { seen = x; });
    d->callback(6);
    CHECK(seen == 6);
}
