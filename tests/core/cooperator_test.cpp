#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/cooperator.hpp>
#include <torsion/testing/clock.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using task::Clock;
using task::Cooperator;
using task::Step;

namespace {

/// A turn's time is up after so many steps.
Cooperator::TerminationPredicateFactory stepsATurn(int count) {
    return [count] { return [left = count]() mutable { return --left <= 0; }; };
}

/// Writes its name so many times, a step each.
task::CooperativeTask::Work writes(char name, int times, std::string& text) {
    return [name, left = times, &text]() mutable {
        if (left == 0) return Step::done();
        --left;
        text += name;
        return Step::more();
    };
}

/// "TaskStopped" or "done", when it has come out.
std::shared_ptr<std::string> ending(const Deferred<void>& deferred) {
    auto text = std::make_shared<std::string>("pending");
    deferred.addCallbacks([text] { *text = "done"; },
                          [text](const Failure& failure) {
                              const std::string name = failure.typeName();
                              *text = name.substr(name.rfind(':') + 1);
                          });
    return text;
}

}  // namespace

TEST_CASE("tasks of a Cooperator take turns, as many steps a turn of the reactor as there is time for (TS-3)") {
    Clock clock;
    Cooperator cooperator(clock, stepsATurn(3));
    std::string text;
    const auto a = ending(cooperator.coiterate(writes('a', 4, text)));
    const auto b = ending(cooperator.coiterate(writes('b', 2, text)));
    CHECK(text == "");
    clock.passTurn();
    CHECK(text == "aba");
    clock.passTurn();
    CHECK(text == "ababa");  // and b's last step, which wrote nothing
    CHECK(*b == "done");
    CHECK(*a == "pending");
    clock.advance(0s);
    CHECK(text == "ababaa");
    CHECK(*a == "done");
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("by default a turn's slice is real time, so that a short task ends in one turn (TS-3)") {
    Clock clock;
    Cooperator cooperator(clock);
    std::string text;
    const auto end = ending(cooperator.coiterate(writes('x', 3, text)));
    clock.passTurn();
    CHECK(text == "xxx");
    CHECK(*end == "done");
}

TEST_CASE("a task pauses while a Deferred of its has not fired, and fails if that does (TS-4)") {
    Clock clock;
    Cooperator cooperator(clock);
    for (const bool good : {true, false}) {
        const Deferred<void> slow;
        int steps = 0;
        const auto end = ending(cooperator.coiterate([&] { return ++steps == 1 ? Step::after(slow) : Step::done(); }));
        clock.advance(1s);
        CHECK(steps == 1);
        CHECK(clock.getDelayedCalls().empty());
        if (good) {
            slow.callback();
        } else {
            slow.errback(ValueError("no"));
        }
        clock.advance(0s);
        CHECK(steps == (good ? 2 : 1));
        CHECK(*end == (good ? "done" : "ValueError"));
    }
}

TEST_CASE("what a step throws ends its task only (TS-4)") {
    Clock clock;
    Cooperator cooperator(clock);
    std::string text;
    const auto bad = cooperator.cooperate([]() -> Step { throw TypeError("broken"); });
    const auto badEnd = ending(bad->whenDone());
    const auto good = ending(cooperator.coiterate(writes('g', 2, text)));
    clock.advance(0s);
    CHECK(*badEnd == "TypeError");
    CHECK(*good == "done");
    CHECK_THROWS_AS(bad->pause(), task::TaskFailed);
    CHECK(*ending(bad->whenDone()) == "TypeError");
}

TEST_CASE("a task can be paused, resumed and stopped (TS-5)") {
    Clock clock;
    Cooperator cooperator(clock, stepsATurn(1));
    std::string text;
    const auto task = cooperator.cooperate(writes('t', 100, text));
    const auto end = ending(task->whenDone());
    CHECK_THROWS_AS(task->resume(), task::NotPaused);
    task->pause();
    task->pause();
    clock.advance(1s);
    CHECK(text == "");
    task->resume();
    clock.advance(1s);
    CHECK(text == "");
    task->resume();
    clock.passTurn();
    CHECK(text == "t");
    task->stop();
    CHECK(*end == "TaskStopped");
    clock.advance(1s);
    CHECK(text == "t");
    CHECK_THROWS_AS(task->stop(), task::TaskStopped);
    CHECK_THROWS_AS(task->pause(), task::TaskFinished);
}

TEST_CASE("a task may stop itself, and its Cooperator, from inside a step (TS-6)") {
    Clock clock;
    auto cooperator = std::make_unique<Cooperator>(clock);
    std::shared_ptr<task::CooperativeTask> own;
    own = cooperator->cooperate([&] {
        own->stop();
        return Step::more();
    });
    const auto ownEnd = ending(own->whenDone());
    clock.advance(0s);
    CHECK(*ownEnd == "TaskStopped");
    const auto all = ending(cooperator->coiterate([&] {
        cooperator->stop();
        return Step::more();
    }));
    clock.advance(0s);
    CHECK(*all == "SchedulerStopped");
    CHECK_FALSE(cooperator->running());
    const auto late = ending(cooperator->coiterate([] { return Step::done(); }));
    CHECK(*late == "SchedulerStopped");
    cooperator->start();
    CHECK(*ending(cooperator->coiterate([&] {
        cooperator.reset();
        return Step::done();
    })) == "pending");
    clock.advance(0s);
    CHECK_FALSE(cooperator);
}

TEST_CASE("a Cooperator may be started later, and drops what is left when it goes") {
    Clock clock;
    const auto kept = std::make_shared<int>(0);
    {
        Cooperator cooperator(clock, false);
        std::string text;
        cooperator.coiterate(writes('l', 1, text));
        clock.advance(1s);
        CHECK(text == "");
        cooperator.start();
        clock.advance(0s);
        CHECK(text == "l");
        cooperator.coiterate([kept] { return Step::more(); });
        CHECK(kept.use_count() == 2);
    }
    CHECK(kept.use_count() == 1);
    CHECK(clock.getDelayedCalls().empty());
}
