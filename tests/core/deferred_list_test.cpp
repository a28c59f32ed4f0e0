#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/deferred_list.hpp>
#include <torsion/core/race.hpp>

#include "critical_log.hpp"

using namespace torsion;
using defer::DeferredList;
using defer::DeferredListFlags;

namespace {

/// How each of several came out: "1 ValueError 3".
std::string text(const std::vector<defer::Result<int>>& results) {
    std::string all;
    for (const auto& result : results) {
        all += all.empty() ? "" : " ";
        all += result.ok() ? std::to_string(result.value()) : result.failure().getErrorMessage();
    }
    return all;
}

}  // namespace

TEST_CASE("a DeferredList gives a result for each, in the order of the Deferreds (DF-16)") {
    const CriticalLog log;
    std::vector<Deferred<int>> children(3);
    std::string seen;
    DeferredList(children, DeferredListFlags::consumeErrors).addCallback([&](const auto& results) {
        seen = text(results);
    });
    children[2].callback(3);
    children[0].callback(1);
    CHECK(seen == "");
    children[1].errback(ValueError("two"));
    CHECK(seen == "1 two 3");
    children.clear();
    CHECK(log.texts.empty());
}

TEST_CASE("failures in a DeferredList stay their Deferred's own unless they are consumed (DF-16)") {
    const CriticalLog log;
    for (const bool consume : {true, false}) {
        std::vector<Deferred<int>> children(1);
        const auto flags = consume ? DeferredListFlags::consumeErrors : DeferredListFlags::none;
        std::string seen;
        DeferredList(children, flags).addCallback([&](const auto& results) { seen = text(results); });
        children[0].errback(ValueError("mine"));
        CHECK(seen == "mine");
        children.clear();
        CHECK(log.messages.size() == (consume ? 0U : 1U));
    }
}

TEST_CASE("a DeferredList of none fires at once, but firstResult of none never (DF-16) (DV-6)") {
    bool fired = false;
    DeferredList(std::vector<Deferred<int>>()).addCallback([&](const auto& results) { fired = results.empty(); });
    CHECK(fired);
    bool first = false;
    const auto never = defer::firstResult(std::vector<Deferred<int>>());
    never.addBoth([&] { first = true; });
    CHECK_FALSE(first);
}

TEST_CASE("fireOnOneErrback ends a DeferredList with the first failure and its position (DF-16) (DV-7)") {
    std::vector<Deferred<void>> children(3);
    std::size_t position = 99;
    DeferredList(children, DeferredListFlags::fireOnOneErrback | DeferredListFlags::consumeErrors)
        .addErrback([&](const Failure& failure) { position = failure.value<defer::FirstError>()->index; });
    children[1].errback(ValueError("first"));
    CHECK(position == 1);
    children[0].errback(ValueError("later"));
    children[2].callback();
}

TEST_CASE("firstResult takes the first success and its position, else the last failure (DF-16) (DV-8)") {
    std::vector<Deferred<int>> children(3);
    std::pair<int, std::size_t> winner{0, 99};
    defer::firstResult(children).addCallback([&](const auto& first) { winner = first; });
    children[0].errback(ValueError("not me"));
    children[2].callback(7);
    CHECK(winner == std::pair<int, std::size_t>(7, 2));
    children[1].callback(8);

    std::vector<Deferred<int>> failing(2);
    std::string why;
    defer::firstResult(failing).addErrback([&](const Failure& failure) {
        why = failure.value<defer::FirstError>()->subFailure.getErrorMessage();
        return std::pair<int, std::size_t>();
    });
    failing[1].errback(ValueError("one"));
    failing[0].errback(ValueError("two"));
    CHECK(why == "two");
}

TEST_CASE("firstResult with fireOnOneErrback ends with whatever comes first (DF-16) (DV-8)") {
    const CriticalLog log;
    std::string seen;
    for (const bool good : {true, false}) {
        std::vector<Deferred<int>> children(3);
        defer::firstResult(children, DeferredListFlags::fireOnOneErrback)
            .addCallbacks([&](const auto& first) { seen += "value " + std::to_string(first.second); },
                          [&](const Failure& failure) {
                              seen += ", failure " + std::to_string(failure.value<defer::FirstError>()->index);
                          });
        if (good) {
            children[1].callback(5);
        } else {
            children[2].errback(ValueError("first"));
        }
        children[0].errback(ValueError("later"));
    }
    CHECK(seen == "value 1, failure 2");
    CHECK(log.texts.empty());
}

TEST_CASE("a DeferredList that failed early still consumes what comes later, if it was asked to (DF-16) (DV-7)") {
    const CriticalLog log;
    for (const bool consume : {true, false}) {
        std::vector<Deferred<int>> children(3);
        const auto flags = DeferredListFlags::fireOnOneErrback |
                           (consume ? DeferredListFlags::consumeErrors : DeferredListFlags::none);
        int failures = 0;
        DeferredList(children, flags).addErrback([&] { ++failures; });
        for (const auto& child : children) child.errback(ValueError("each"));
        CHECK(failures == 1);
        children.clear();
        CHECK(log.texts.size() == (consume ? 0U : 3U));
    }
}

TEST_CASE("to cancel a DeferredList cancels every child, also when a canceller throws (DF-12) (DV-9)") {
    const CriticalLog log;
    int cancelled = 0;
    std::vector<Deferred<int>> children;
    children.emplace_back([&](Deferred<int>&) { ++cancelled; });
    children.emplace_back([&](Deferred<int>&) -> void { throw ValueError("a canceller's"); });
    children.emplace_back([&](Deferred<int>&) { ++cancelled; });
    const auto list = DeferredList(children);
    list.cancel();
    CHECK(cancelled == 2);
    children.clear();
    CHECK(log.others.size() == 1);
    CHECK(log.texts.empty());  // what was asked for is nobody's news
}

TEST_CASE("a race gives the first success, and cancels the others before that (DV-11)") {
    const CriticalLog log;
    std::string order;
    std::vector<Deferred<int>> children;
    for (const char name : {'a', 'b', 'c'}) children.emplace_back([&order, name](Deferred<int>&) { order += name; });
    std::pair<std::size_t, int> winner{99, 0};
    defer::race(children).addCallback([&](const auto& won) {
        order += '!';
        winner = won;
    });
    children[0].errback(ValueError("out early"));
    children[1].callback(5);
    CHECK(winner == std::pair<std::size_t, int>(1, 5));
    CHECK(order == "c!");
    children.clear();
    CHECK(log.texts.empty());
}

TEST_CASE("a race that nobody wins fails with all failures in the order of the Deferreds (DV-11)") {
    std::vector<Deferred<void>> children(2);
    std::vector<std::string> all;
    defer::race(children).addCallbacks([] { FAIL("nobody won"); },
                                       [&](const Failure& failure) {
                                           for (const Failure& one : failure.value<defer::FailureGroup>()->failures())
                                               all.push_back(one.getErrorMessage());
                                       });
    children[1].errback(ValueError("second"));
    children[0].errback(ValueError("first"));
    CHECK(all == std::vector<std::string>{"first", "second"});
    CHECK_THROWS_AS(defer::race(std::vector<Deferred<int>>()), ValueError);
}

TEST_CASE("a race may be over before it begins, and may be cancelled as a whole (DV-11)") {
    int cancelled = 0;
    std::vector<Deferred<int>> children;
    children.push_back(defer::succeed(1));
    children.emplace_back([&](Deferred<int>&) { ++cancelled; });
    std::size_t winner = 99;
    defer::race(children).addCallback([&](const auto& won) { winner = won.first; });
    CHECK(winner == 0);
    CHECK(cancelled == 1);

    std::vector<Deferred<int>> all;
    for (int i = 0; i < 3; ++i) all.emplace_back([&](Deferred<int>&) { ++cancelled; });
    const auto race = defer::race(all);
    std::size_t failures = 0;
    race.addErrback([&](const Failure& failure) {
        failures = failure.value<defer::FailureGroup>()->failures().size();
        return std::pair<std::size_t, int>();
    });
    race.cancel();
    CHECK(cancelled == 4);
    CHECK(failures == 3);
}

TEST_CASE("values that can only be moved pass through a list and a race") {
    std::vector<Deferred<std::unique_ptr<int>>> children(1);
    int seen = 0;
    DeferredList(children).addCallback(
        [&](std::vector<defer::Result<std::unique_ptr<int>>> results) { seen = *std::move(results.front()).value(); });
    children[0].callback(std::make_unique<int>(4));
    CHECK(seen == 4);
    std::vector<Deferred<std::unique_ptr<int>>> runners(2);
    defer::race(runners).addCallback([&](std::pair<std::size_t, std::unique_ptr<int>> won) { seen = *won.second; });
    runners[1].callback(std::make_unique<int>(6));
    CHECK(seen == 6);
}
