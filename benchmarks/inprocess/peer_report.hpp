#pragma once

/// What the in-process benchmarks of the peers share: torsion's stopwatch and medians, and figures with a peer's name.

#include <torsion/benchmarks/inprocess/torsion_report.hpp>

#include <cstdio>
#include <cstdlib>

namespace report {

/// Prints one figure of @p peer.
inline void printOf(const char* peer, const char* bench, const char* unit, double value) {
    std::printf("{\"bench\": \"%s\", \"peer\": \"%s\", \"unit\": \"%s\", \"value\": %.1f}\n", bench, peer, unit, value);
    std::fflush(stdout);
}

/// Ends the program if a library says that something failed.
inline void check(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s failed\n", what);
    std::exit(1);
}

}  // namespace report
