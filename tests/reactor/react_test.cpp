#include <doctest/doctest.h>

#include <csignal>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/react.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

Deferred<void> pause(Reactor& reactor, Duration length) {
    Deferred<void> over;
    reactor.callLater(length, [over] { over.callback(); });
    return over;
}

/// Counts how often something is destroyed.
struct Unwound {
    explicit Unwound(int& c) : count(c) {}
    ~Unwound() { ++count; }
    int& count;
};

Deferred<void> returnsLater(Reactor& reactor) {
    const int before = 1;
    co_await pause(reactor, 1ms);
    static_cast<void>(before);
}

Deferred<void> throwsLater(Reactor& reactor) {
    const int before = 1;
    co_await pause(reactor, 1ms);
    throw ValueError("main is not happy" + std::to_string(before));
}

Deferred<void> exitsLater(Reactor& reactor) {
    const int status = 7;
    co_await pause(reactor, 1ms);
    throw task::Exit(status);
}

Deferred<void> waitsForEver(Reactor& reactor, int& unwound) {
    const Unwound guard(unwound);
    reactor.callLater(1ms, [] { raise(SIGTERM); });
    co_await task::forever();
}

}  // namespace

TEST_CASE("react returns 0 when main's Deferred fires, at once or later (TS-9)") {
    CHECK(task::react([](Reactor&) { return defer::succeed(); }) == 0);
    CHECK(task::react(returnsLater) == 0);
}

TEST_CASE("react returns 1 and logs when main fails (TS-9)") {
    std::string message;
    const int number = log::addObserver([&](const log::Event& event) {
        if (event.failure != nullptr) message = event.failure->getErrorMessage();
    });
    CHECK(task::react(throwsLater) == 1);
    CHECK(message == "main is not happy1");
    CHECK(task::react([](Reactor&) -> Deferred<void> { throw ValueError("at once"); }) == 1);
    CHECK(message == "at once");
    log::removeObserver(number);
}

TEST_CASE("react returns the status that an Exit carries (TS-9)") {
    CHECK(task::react(exitsLater) == 7);
    CHECK(task::react([](Reactor&) -> Deferred<void> { throw task::Exit(3); }) == 3);
}

TEST_CASE("a signal ends a main that waits for ever with status 0, and unwinds it (TS-10)") {
    int unwound = 0;
    CHECK(task::react([&](Reactor& reactor) { return waitsForEver(reactor, unwound); }) == 0);
    CHECK(unwound == 1);
}

TEST_CASE("react hands main its arguments") {
    char name[] = "program", first[] = "--port", second[] = "80";
    char* argv[] = {name, first, second, nullptr};
    task::Arguments seen;
    const int status = task::react(
        [&](Reactor&, task::Arguments arguments) {
            seen = arguments;
            return defer::succeed();
        },
        3, argv);
    CHECK(status == 0);
    CHECK(seen == std::vector<std::string>{"--port", "80"});
}

TEST_CASE("forever without a reactor is an error") { CHECK_THROWS_AS(task::forever(), RuntimeError); }
