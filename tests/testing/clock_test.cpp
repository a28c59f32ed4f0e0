#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/testing/clock.hpp>

using namespace torsion;
using namespace std::chrono_literals;

TEST_CASE("a Clock stands still until it is advanced, and then runs what is due in order (DC-3) (TS-7)") {
    task::Clock clock;
    std::vector<int> ran;
    clock.callLater(2s, [&] { ran.push_back(2); });
    clock.callLater(1s, [&] { ran.push_back(1); });
    clock.callLater(2s, [&] { ran.push_back(3); });
    CHECK(clock.seconds() == 0s);
    clock.advance(999ms);
    CHECK(ran.empty());
    clock.advance(1ms);
    CHECK(ran == std::vector<int>{1});
    clock.advance(1h);
    CHECK(ran == std::vector<int>{1, 2, 3});
    CHECK(clock.seconds() == 1h + 1s);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("advance runs what is added meanwhile, if it is due (TS-8)") {
    task::Clock clock;
    std::vector<int> ran;
    clock.callLater(1s, [&] {
        ran.push_back(1);
        clock.callLater(0s, [&] { ran.push_back(2); });
        clock.callLater(1s, [&] { ran.push_back(3); });
        clock.turn().later([&] { ran.push_back(4); });
    });
    clock.advance(1s);
    CHECK(ran == std::vector<int>{1, 4, 2});
    clock.advance(1s);
    CHECK(ran == std::vector<int>{1, 4, 2, 3});
}

TEST_CASE("pump advances step by step (TS-8)") {
    task::Clock clock;
    std::vector<Duration> times;
    for (int i = 1; i <= 3; ++i) clock.callLater(i * 1s, [&] { times.push_back(clock.seconds()); });
    clock.pump({1s, 1s, 1500ms});
    CHECK(times == std::vector<Duration>{1s, 2s, 3500ms});
    clock.pump(std::vector<Duration>{1s, 1s});
    CHECK(clock.seconds() == 5500ms);
}

TEST_CASE("a Clock refuses negative delays, missing functions, and to run backwards (DC-1)") {
    task::Clock clock;
    CHECK_THROWS_AS(clock.callLater(-1ns, [] {}), ValueError);
    CHECK_THROWS_AS(clock.callLater(1s, nullptr), ValueError);
    CHECK_THROWS_AS(clock.advance(-1ns), ValueError);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("advance throws when there is always something due") {
    task::Clock clock;
    struct Again {
        task::Clock& clock;
        void operator()() const { clock.callLater(0s, Again{clock}); }
    };
    clock.callLater(1s, Again{clock});
    CHECK_THROWS_AS(clock.advance(1s), RuntimeError);
}

TEST_CASE("advance inside a turn moves the time and runs what is due, but does not end the turn") {
    task::Clock clock;
    const auto object = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = object;
    bool inner = false;
    clock.callLater(2s, [&] { inner = true; });
    clock.callLater(1s, [&] {
        clock.turn().deferDeletion(std::make_shared<std::shared_ptr<int>>(object));
        clock.advance(1s);
        CHECK(inner);
        CHECK(watch.use_count() == 2);
        CHECK_THROWS_AS(clock.passTurn(), RuntimeError);
    });
    clock.advance(1s);
    CHECK(inner);
    CHECK(watch.use_count() == 1);
}

TEST_CASE("passTurn runs what was posted, what is due, the I/O, and the end of the turn, in this order") {
    task::Clock clock;
    struct End final : EndOfTurn {
        explicit End(std::vector<int>& v) : order(v) {}
        void endOfTurn() noexcept override { order.push_back(4); }
        std::vector<int>& order;
    };
    std::vector<int> order;
    End end(order);
    clock.callLater(0s, [&] { order.push_back(2); });
    clock.turn().later([&] { order.push_back(1); });
    CHECK(clock.passTurn([&] {
        order.push_back(3);
        clock.turn().atEnd(end, 0);
    }));
    CHECK(order == std::vector<int>{1, 2, 3, 4});
    CHECK(!clock.passTurn());
}

TEST_CASE("the end of a Clock destroys its timers and what was posted, also what that adds") {
    const auto object = std::make_shared<int>(1);
    struct AddsAnother {
        task::Clock& clock;
        std::shared_ptr<int> held;
        AddsAnother(task::Clock& c, std::shared_ptr<int> h) : clock(c), held(std::move(h)) {}
        AddsAnother(AddsAnother&& other) noexcept : clock(other.clock), held(std::move(other.held)) {}
        ~AddsAnother() {
            if (held) clock.callLater(1s, [keep = held] {});
        }
        void operator()() const {}
    };
    DelayedCall handle;
    {
        task::Clock clock;
        handle = clock.callLater(1s, [object] {});
        clock.turn().later(AddsAnother(clock, object));
        CHECK(object.use_count() == 3);
    }
    CHECK(object.use_count() == 1);
    CHECK(!handle.active());
    CHECK_THROWS_AS(handle.cancel(), AlreadyCancelled);
}
