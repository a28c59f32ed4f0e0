#include <torsion/core/reactor_counters.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace torsion {

namespace {

/// The upper edge of a place of the histogram.
Duration edge(std::size_t place) noexcept { return std::chrono::microseconds(std::int64_t{1} << place); }

}  // namespace

Duration ReactorCounters::turnQuantile(double share) const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t count : turnDurations) all += count;
    if (all == 0) return Duration::zero();
    const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(all)));
    std::uint64_t seen = 0;
    for (std::size_t place = 0; place + 1 < turnDurations.size(); ++place) {
        seen += turnDurations[place];
        if (seen >= std::max<std::uint64_t>(wanted, 1)) return std::min(edge(place), longestTurn);
    }
    return longestTurn;
}

std::string ReactorCounters::text() const {
    const std::pair<const char*, std::uint64_t> rows[] = {
        {"connections", connections()},
        {"connectionsAccepted", connectionsAccepted},
        {"connectionsMade", connectionsMade},
        {"connectionsLost", connectionsLost},
        {"bytesReceived", bytesReceived},
        {"writesCoalesced", writesCoalesced},
        {"bytesSent", bytesSent},
        {"handshakes", handshakes},
        {"handshakesFailed", handshakesFailed},
        {"timersRun", timersRun},
        {"threadCalls", threadCalls},
        {"turns", turns},
        {"longestTurnMicroseconds", static_cast<std::uint64_t>(longestTurn / std::chrono::microseconds(1))},
    };
    std::string all;
    auto out = std::back_inserter(all);
    for (const auto& [name, value] : rows) fmt::format_to(out, "{} {}\n", name, value);
    for (std::size_t place = 0; place < turnDurations.size(); ++place) {
        if (turnDurations[place] == 0) continue;
        const bool last = place + 1 == turnDurations.size();
        fmt::format_to(out, "turns{}{}us {}\n", last ? "From" : "Below",
                       edge(last ? place - 1 : place) / std::chrono::microseconds(1), turnDurations[place]);
    }
    return all;
}

}  // namespace torsion
