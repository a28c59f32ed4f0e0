#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/looping_call.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/scope.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/string_transport.hpp>

#include "critical_log.hpp"

using namespace torsion;
using namespace std::chrono_literals;

namespace {

using Trace = std::vector<std::string>;

Deferred<int> listen(Deferred<void> word, std::string name, Trace& trace) {
    try {
        co_await std::move(word);
    } catch (const defer::CancelledError&) {
        trace.push_back(name + " ended");
        throw;
    }
    trace.push_back(name + " heard");
    co_return 1;
}

/// A protocol that waits for words as long as it is connected.
class Talker : public Protocol {
public:
    explicit Talker(Trace& trace) : trace_(&trace) {}
    ~Talker() override { trace_->emplace_back("gone"); }

    void connectionMade() override { scope().spawn(talk()); }
    void dataReceived(BytesView) override { std::exchange(word_, Deferred<void>()).callback(); }
    void connectionLost(const Failure&) override { trace_->emplace_back("lost"); }

private:
    Deferred<void> talk() {
        const auto self = shared_from_this();
        for (;;) {
            co_await word_;
            trace_->emplace_back("heard");
        }
    }

    Trace* trace_;
    Deferred<void> word_;
};

}  // namespace

TEST_CASE("a scope's timers run, unless it is cancelled first (CL-1)") {
    task::Clock clock;
    Scope scope;
    int runs = 0;
    scope.callLater(clock, 1s, [&] { ++runs; });
    DelayedCall second = scope.callLater(clock, 2s, [&] { ++runs; });
    clock.advance(1s);
    CHECK(runs == 1);
    scope.cancel();
    CHECK(!second.active());
    clock.advance(5s);
    CHECK(runs == 1);
    CHECK(!scope.callLater(clock, 1s, [&] { ++runs; }).active());
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a scope's destruction and replacement cancel it, moving does not (CL-1)") {
    task::Clock clock;
    {
        Scope scope;
        scope.callLater(clock, 1s, [] {});
        const Scope moved = std::move(scope);
        CHECK(clock.getDelayedCalls().size() == 1);
    }
    CHECK(clock.getDelayedCalls().empty());
    Scope scope;
    scope.callLater(clock, 1s, [] {});
    scope = Scope();
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a watched Deferred is cancelled with the scope if it has not fired (CL-1, DF-9)") {
    Scope scope;
    std::vector<int> cancelled;
    std::vector<Deferred<int>> deferreds;
    for (int i = 0; i < 3; ++i) {
        deferreds.emplace_back([&cancelled, i](Deferred<int>&) { cancelled.push_back(i); });
        deferreds.back().addErrback([](const Failure& failure) {
            failure.trap<defer::CancelledError>();
            return 0;
        });
        scope.watch(deferreds.back());
    }
    deferreds[1].callback(7);
    scope.cancel();
    CHECK(cancelled == std::vector<int>{2, 0});  // the newest first
    scope.cancel();
    CHECK(cancelled.size() == 2);

    Deferred<int> late([&](Deferred<int>&) { cancelled.push_back(3); });
    late.addErrback([](const Failure&) { return 0; });
    scope.watch(late);
    CHECK(cancelled.back() == 3);
}

TEST_CASE("a scope forgets what is over, so that it does not grow with the connection's age") {
    task::Clock clock;
    Scope scope;
    const auto object = std::make_shared<int>(1);
    for (int i = 0; i < 1000; ++i) {
        Deferred<std::shared_ptr<int>> deferred;
        scope.watch(deferred);
        deferred.callback(object);
        scope.callLater(clock, 1s, [] {});
        clock.advance(1s);
    }
    CHECK(object.use_count() < 20);
    scope.cancel();
    CHECK(object.use_count() == 1);
}

TEST_CASE("an exception from a canceller is logged, and the rest is cancelled (CL-1)") {
    int errors = 0;
    const int observer = log::addObserver([&](const log::Event&) { ++errors; });
    bool cancelled = false;
    {
        Scope scope;
        Deferred<void> first([&](Deferred<void>&) { cancelled = true; });
        Deferred<void> second([](Deferred<void>&) { throw ValueError("cannot"); });
        first.addErrback([](const Failure&) {});
        second.addErrback([](const Failure&) {});
        scope.watch(first);
        scope.watch(second);
    }
    log::removeObserver(observer);
    CHECK(cancelled);
    CHECK(errors == 1);
}

TEST_CASE(
    "what is spawned in a scope is cancelled with it, and only a failure of its own is logged (CL-1, DF-9, IC-3)") {
    const CriticalLog log;
    Trace trace;
    {
        Scope scope;
        const Deferred<void> never, soon, late;
        scope.spawn(listen(never, "a", trace));
        scope.spawn(listen(soon, "b", trace));
        scope.spawn(listen(defer::fail(ValueError("no")), "c", trace));
        soon.callback();
        CHECK(trace == Trace{"b heard"});
        CHECK(log.messages == std::vector<std::string>{"no"});
        scope.cancel();
        CHECK(trace == Trace{"b heard", "a ended"});
        scope.spawn(listen(late, "late", trace));
        CHECK(trace.back() == "late ended");
    }
    CHECK(log.messages.size() == 1);
}

TEST_CASE("a LoopingCall that is spawned in a scope ends with it (CL-1, DC-10)") {
    const CriticalLog log;
    task::Clock clock;
    Scope scope;
    int calls = 0;
    task::LoopingCall loop(clock, [&] { ++calls; });
    scope.spawn(loop.start(10s));
    clock.advance(10s);
    CHECK(calls == 2);
    scope.cancel();
    CHECK_FALSE(loop.running());
    CHECK(clock.getDelayedCalls().empty());
    CHECK(log.texts.empty());
}

TEST_CASE("a coroutine that a protocol has spawned ends with the connection, and keeps nothing alive (CL-1) (IC-3)") {
    const CriticalLog log;
    Trace trace;
    auto talker = std::make_shared<Talker>(trace);
    talker->makeConnection(std::make_shared<testing::StringTransport>());
    talker->dataReceived("a");
    talker->dataReceived("b");
    talker->deliverConnectionLost(ConnectionDone());
    CHECK(trace == Trace{"heard", "heard", "lost"});
    talker.reset();
    CHECK(trace.back() == "gone");
    CHECK(log.texts.empty());
}

TEST_CASE("a scope that was empty when it was cancelled is cancelled all the same (CL-1)") {
    task::Clock clock;
    Scope scope;
    scope.cancel();
    CHECK(scope.cancelled());
    bool cancelled = false;
    CHECK_FALSE(scope.callLater(clock, 1s, [] {}).active());
    scope.spawn(Deferred<void>([&](Deferred<void>&) { cancelled = true; }));
    CHECK(cancelled);
    CHECK(clock.getDelayedCalls().empty());
    const CriticalLog log;
    scope.watch(Deferred<void>([](Deferred<void>&) { throw ValueError("cannot"); })).addErrback([](const Failure&) {});
}

TEST_CASE("what a scope cancels may end the scope (CL-1)") {
    struct Owner {
        Scope scope;
    };
    auto owner = std::make_shared<Owner>();
    Scope& scope = owner->scope;
    const Deferred<void> first, second;
    const std::weak_ptr<Owner> watched = owner;
    bool cancelled = false;
    scope.watch(first).addErrback([&] { cancelled = true; });
    scope.watch(second).addErrback([owner] {});
    owner.reset();
    scope.cancel();
    CHECK(cancelled);
    CHECK(watched.expired());
}

TEST_CASE("a protocol that is connected once more has a scope that works (CL-1)") {
    task::Clock clock;
    const auto protocol = std::make_shared<Protocol>();
    bool ran = false;
    for (int i = 0; i < 2; ++i) {
        protocol->makeConnection(std::make_shared<testing::StringTransport>());
        ran = false;
        protocol->scope().callLater(clock, 1s, [&] { ran = true; });
        clock.advance(1s);
        CHECK(ran);
        protocol->deliverConnectionLost(ConnectionDone());
        CHECK_FALSE(protocol->scope().callLater(clock, 1s, [] {}).active());
    }
}
