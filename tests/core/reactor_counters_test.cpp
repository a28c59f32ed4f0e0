#include <doctest/doctest.h>

#include <thread>

#include <torsion/core/reactor_counters.hpp>
#include <torsion/core/ticks.hpp>

using namespace torsion;
using namespace std::chrono_literals;

TEST_CASE("the difference of begun and lost connections is what there is") {
    ReactorCounters counters;
    counters.connectionsAccepted = 5;
    counters.connectionsMade = 2;
    counters.connectionsLost = 3;
    CHECK(counters.connections() == 4);
}

TEST_CASE("quantiles of turns come from the histogram, and end at the longest") {
    ReactorCounters counters;
    CHECK(counters.turnQuantile(0.5) == 0ns);
    counters.turnDurations[0] = 90;  // below 1 us
    counters.turnDurations[4] = 9;   // 8 to 16 us
    counters.turnDurations[23] = 1;  // 4 s and more
    counters.longestTurn = 7s;
    CHECK(counters.turnQuantile(0.0) == 1us);
    CHECK(counters.turnQuantile(0.9) == 1us);
    CHECK(counters.turnQuantile(0.99) == 16us);
    CHECK(counters.turnQuantile(1.0) == 7s);
    CHECK(counters.turnQuantile(5.0) == 7s);
    counters.turnDurations[23] = 0;
    counters.longestTurn = 9us;  // no quantile is above it
    CHECK(counters.turnQuantile(1.0) == 9us);
}

TEST_CASE("the counters as text have a line for each, and for the durations that occurred") {
    ReactorCounters counters;
    counters.connectionsAccepted = 2;
    counters.bytesReceived = 1234;
    counters.turnDurations[3] = 6;
    counters.turnDurations[23] = 1;
    counters.longestTurn = 5s;
    const std::string text = counters.text();
    CHECK(text.starts_with("connections 2\nconnectionsAccepted 2\n"));
    CHECK(text.find("\nbytesReceived 1234\n") != std::string::npos);
    CHECK(text.find("\nlongestTurnMicroseconds 5000000\n") != std::string::npos);
    CHECK(text.find("\nturnsBelow8us 6\n") != std::string::npos);
    CHECK(text.ends_with("\nturnsFrom4194304us 1\n"));
    CHECK(text.find("turnsBelow1us") == std::string::npos);
}

TEST_CASE("ticks are measured against the system's clock") {
    const detail::TickScale scale = detail::TickScale::measured();
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t first = detail::ticks();
    std::this_thread::yield();
    while (std::chrono::steady_clock::now() - start < 2ms) {
    }
    const std::uint64_t counted = detail::ticks() - first;
    const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - start;
    // The two clocks are read one after the other, and this thread may lose its processor in between.
    CHECK(static_cast<double>(scale.microseconds(counted)) < passed.count() * 1.05 + 1);
    CHECK(scale.microseconds(counted) >= 1900);
    CHECK(scale.microseconds(0) == 0);
    CHECK(scale.microseconds(scale.ticksIn(1s)) >= 999000);
    CHECK(scale.microseconds(scale.ticksIn(1s)) <= 1001000);
    CHECK(scale.ticksIn(Duration::max()) > scale.ticksIn(24h));
}
