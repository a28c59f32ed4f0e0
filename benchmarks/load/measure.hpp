#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

/// Nanoseconds of the monotonic clock.
using Nanoseconds = std::int64_t;
Nanoseconds monotonicNow();

/// Private dirty memory of process @p pid in octets, from /proc/PID/smaps_rollup.
std::uint64_t privateMemory(pid_t pid);

/// Times at one moment, in seconds: the wall's, the server's processor time, and our own.
struct Moment {
    double wall = 0, server = 0, load = 0;
};

/// Reads such moments.
class Meter {
public:
    /// @param server  0: its time reads as 0
    explicit Meter(pid_t server);
    Moment now() const;

private:
    bool hasServer_ = false;
    clockid_t server_{};
};

/// How long things took: counts in buckets that are a thirty-second of a power of two wide.
class Histogram {
public:
    void add(Nanoseconds value);
    std::uint64_t count() const { return count_; }
    /// The value in microseconds that @p share (0 to 1) of all do not exceed; 0 if there is none.
    double quantile(double share) const;

private:
    static constexpr unsigned kBits = 5;
    std::array<std::uint64_t, (64 - kBits + 1) << kBits> buckets_{};
    std::uint64_t count_ = 0;
};
