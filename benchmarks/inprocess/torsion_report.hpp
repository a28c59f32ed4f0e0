#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <vector>

/// What the in-process benchmarks of torsion share: repeated measuring, and one JSON object a line for each figure.
namespace report {

constexpr std::size_t kRepeats = 5;

/// The middle one of @p values.
inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Prints one figure.
inline void print(const char* bench, const char* unit, double value) {
    std::printf("{\"bench\": \"%s\", \"peer\": \"torsion\", \"unit\": \"%s\", \"value\": %.1f}\n", bench, unit, value);
    std::fflush(stdout);
}

/// Runs from its making on.
class Stopwatch {
public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

    /// Nanoseconds for each of @p count.
    double nanosecondsEach(std::size_t count) const { return seconds() * 1e9 / static_cast<double>(count); }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_ = Clock::now();
};

/// Calls @p round, which does @p count of something, some times. @return how many of them a second, in the median.
template <class Round>
double perSecond(std::size_t count, Round round) {
    round();  // the memory that it takes is there from here on
    std::vector<double> values;
    for (std::size_t i = 0; i < kRepeats; ++i) {
        const Stopwatch watch;
        round();
        values.push_back(static_cast<double>(count) / watch.seconds());
    }
    return median(std::move(values));
}

}  // namespace report
