#pragma once

#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include <torsion/core/protocol.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/fake_transport.hpp>
#include <torsion/testing/segmentation.hpp>

namespace torsion::testing {

/// A connection in memory between two protocols (twisted.test.iosim.IOPump). Nothing moves but by pump() and flush(),
/// and time stands still but for advance(). Both ends share one Clock and its Turn.
///
/// @code
///     IOPump pump(client, server);
///     pump.setSegmentation(segmentation::byteByByte());
///     client->sendLine("hello");
///     pump.flush();
/// @endcode
///
/// At its end the pump gives both protocols that are still connected a connectionLost with ConnectionLost, as a reactor
/// does, so declare it behind what their callbacks touch.
class IOPump {
public:
    /// Connects the two: makeConnection of the server, then of the client, come in here.
    /// @param clock to share with others, such as a second pump; by default a new one
    IOPump(std::shared_ptr<Protocol> client, std::shared_ptr<Protocol> server,
           std::shared_ptr<task::Clock> clock = std::make_shared<task::Clock>());
    IOPump(const IOPump&) = delete;
    IOPump& operator=(const IOPump&) = delete;
    ~IOPump();

    /// Passes one turn: each end sends what it has, then gets one segment of what has arrived, or the end of the
    /// connection.
    /// @return whether anything happened
    bool pump();

    /// Pumps until nothing happens any more. @return whether anything did
    /// @throws RuntimeError if there is no end after maxTurns() turns; the text tells what goes on. Turns in which a
    /// chosen segmentation or a full wire held something back do not count, but for a thousand times as many.
    bool flush() { return flush(maxTurns_); }
    bool flush(std::size_t maxTurns);

    /// How many turns flush() passes at most, which is far more than a conversation takes that comes to rest (iosim
    /// has the same number). @throws ValueError for zero
    void setMaxTurns(std::size_t turns);
    std::size_t maxTurns() const noexcept { return maxTurns_; }
    static constexpr std::size_t kDefaultMaxTurns = 1000;

    /// Moves the time on, runs what is due, and flushes.
    void advance(Duration amount);

    /// How data is cut on its way to both ends (each with a copy of it). For one end: client().setSegmentation().
    void setSegmentation(const Segmentation& segmentation);

    /// Both ends take octets from the peer only as they read them; see FakeTransport::setUnbuffered. A protocol that
    /// does not stop writing then shows it.
    void setUnbuffered(bool unbuffered = true);

    /// The network fails: both ends get @p reason in the next turn. For one end: client().breakConnection().
    void breakConnection(const Failure& reason = failureOf<ConnectionLost>());

    /// Tells all that happens, such as "client sends 7: hello\r\n" or "server lost: ...", a line each.
    void setTrace(const std::function<void(const std::string&)>& trace);
    void traceTo(std::FILE* stream);

    FakeTransport& client() noexcept { return *client_; }
    FakeTransport& server() noexcept { return *server_; }
    task::Clock& clock() noexcept { return *clock_; }

private:
    bool passTurn(bool impatient);
    [[noreturn]] void throwRestless(std::size_t turns, std::size_t counted);

    std::shared_ptr<task::Clock> clock_;
    std::shared_ptr<FakeTransport> client_;
    std::shared_ptr<FakeTransport> server_;
    std::size_t maxTurns_ = kDefaultMaxTurns;
    bool clockRan_ = false;  ///< a call or timer, in the latest turn
};

}  // namespace torsion::testing
