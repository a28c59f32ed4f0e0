#pragma once

/// How the peers' timers are measured; torsion_timers does the same.
///
/// 10 000 others are live, at random deadlines of 1 to 100 s. Of 100 000 timers at random deadlines of 1 to 60 s each
/// is scheduled, then cancelled in random order; scheduled again, and given its own delay again in random order; and
/// all are fired that are due when the loop runs once. The timers' memory is the program's where a library allows that.

#include <torsion/benchmarks/inprocess/peer_report.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

namespace peers {

using Delay = std::chrono::microseconds;

constexpr std::uint32_t kSeed = 20240601;
constexpr std::size_t kLive = 10000;
constexpr std::size_t kTimers = 100000;

/// How many have fired.
struct Counts {
    std::size_t timers = 0;
    std::size_t live = 0;

    /// Where the timer of index i counts.
    std::size_t& of(std::size_t i) { return i < kTimers ? timers : live; }
};

/// A library's loop has kTimers + kLive timers, of which each counts that it fired, in counts.of(i).
///   schedule(i, delay), cancel(i), reset(i, delay): the timer of index i
///   turn(): runs what is due, and does not wait
///   kCancelCalls: whether cancelling calls a timer's callback in the next turn, as Asio's does
template <class Loop>
void measureTimers(const char* peer) {
    using namespace std::chrono_literals;
    std::fprintf(stderr, "seed %u, %zu timers, %zu others live\n", kSeed, kTimers, kLive);
    std::mt19937 random(kSeed);
    const auto between = [&](Delay least, Delay most) {
        return Delay(std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(random));
    };
    Loop loop;
    for (std::size_t i = 0; i < kLive; ++i) loop.schedule(kTimers + i, between(1s, 100s));
    std::vector<Delay> delays;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < kTimers; ++i) delays.push_back(between(1s, 60s));
    for (std::size_t i = 0; i < kTimers; ++i) order.push_back(i);
    std::shuffle(order.begin(), order.end(), random);
    loop.turn();

    const auto scheduleAll = [&] {
        for (std::size_t i = 0; i < kTimers; ++i) loop.schedule(i, delays[i]);
    };
    std::vector<double> schedule, cancel, called, reset, fire;
    for (std::size_t repeat = 0; repeat < report::kRepeats; ++repeat) {
        {
            const report::Stopwatch watch;
            scheduleAll();
            schedule.push_back(watch.nanosecondsEach(kTimers));
        }
        {
            const report::Stopwatch watch;
            for (const std::size_t i : order) loop.cancel(i);
            cancel.push_back(watch.nanosecondsEach(kTimers));
            loop.turn();
            called.push_back(watch.nanosecondsEach(kTimers));
        }
        scheduleAll();
        {
            const report::Stopwatch watch;
            for (const std::size_t i : order) loop.reset(i, delays[i]);
            reset.push_back(watch.nanosecondsEach(kTimers));
        }
        loop.turn();
        for (const std::size_t i : order) loop.cancel(i);
        loop.turn();
        for (std::size_t i = 0; i < kTimers; ++i) loop.schedule(i, delays[i] / 60000);
        std::this_thread::sleep_for(2ms);
        loop.counts.timers = 0;
        {
            const report::Stopwatch watch;
            loop.turn();
            fire.push_back(watch.nanosecondsEach(kTimers));
        }
        report::check(loop.counts.timers == kTimers, "firing all timers");
    }
    report::printOf(peer, "timers/schedule", "ns", report::median(schedule));
    report::printOf(peer, "timers/cancel", "ns", report::median(cancel));
    if (Loop::kCancelCalls) report::printOf(peer, "timers/cancel-called", "ns", report::median(called));
    report::printOf(peer, "timers/reset", "ns", report::median(reset));
    report::printOf(peer, "timers/fire", "ns", report::median(fire));
}

}  // namespace peers
