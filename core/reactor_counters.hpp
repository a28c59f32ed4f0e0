#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <torsion/core/duration.hpp>

namespace torsion {

/// What a reactor has done since it was made. Plain numbers that only rise; read and copied on the reactor's thread, so
/// that another thread asks by callFromThread. The difference of two copies is what happened between them.
struct ReactorCounters {
    std::uint64_t turns = 0;                ///< passes of the loop
    std::uint64_t connectionsAccepted = 0;  ///< begun by a peer
    std::uint64_t connectionsMade = 0;      ///< begun by us
    std::uint64_t connectionsLost = 0;      ///< of either kind
    std::uint64_t bytesReceived = 0;        ///< from sockets, ciphertext where there is TLS
    std::uint64_t writesCoalesced = 0;      ///< that joined others which were waiting to be sent, on the same socket
    std::uint64_t bytesSent = 0;            ///< to sockets
    std::uint64_t handshakes = 0;           ///< of TLS, done and verified, at any depth
    std::uint64_t handshakesFailed = 0;     ///< of TLS, by error, timeout or loss
    std::uint64_t timersRun = 0;            ///< calls of callLater that were due
    std::uint64_t threadCalls = 0;          ///< calls of callFromThread

    /// Turns by how long they took, without the waiting: turnDurations[i] counts those below 2^i microseconds that are
    /// in none before; the last has all that took longer.
    static constexpr std::size_t kTurnDurations = 24;
    std::array<std::uint64_t, kTurnDurations> turnDurations{};
    Duration longestTurn{};

    /// The connections that there are.
    std::uint64_t connections() const noexcept { return connectionsAccepted + connectionsMade - connectionsLost; }

    /// Half, 99 %, ... of the turns took no longer than this, as exactly as the histogram tells. Zero if there was
    /// none.
    /// @param share 0 to 1
    Duration turnQuantile(double share) const noexcept;

    /// All as text: a line each, the name, a space and the number, then the turns' durations that occurred.
    std::string text() const;
};

}  // namespace torsion
