#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/duration.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/results.hpp>

namespace torsion::testing {

/// A protocol did other than its script says. The text has the whole script, the place, and what came instead.
class ScriptMismatch : public FailTest {
public:
    explicit ScriptMismatch(const std::string& detail)
        : FailTest("The conversation does not follow the script: " + detail) {}
};

/// A transport whose other side is written down: what the protocol must write, and what it then gets. (The Mock of
/// tokio-test is like it.)
///
/// @code
///     ScriptedTransport script;
///     script.deliver("220 ready\r\n").expectWrite("HELO me\r\n").thenDeliver("250 hello\r\n");
///     script.expectWrite("QUIT\r\n").expectClose();
///     script.connect(client);
///     script.verify();
/// @endcode
///
/// Steps are taken in order. How the protocol cuts its writes is its own business: what counts are the octets. What is
/// to be delivered comes in later turns, never from inside a write. From the first difference on nothing more is
/// delivered, and verify() tells. Hold it as long as the protocol is connected; its end loses the connection.
class ScriptedTransport {
public:
    ScriptedTransport();
    /// On @p clock, with others.
    explicit ScriptedTransport(std::shared_ptr<task::Clock> clock);
    ScriptedTransport(const ScriptedTransport&) = delete;
    ScriptedTransport& operator=(const ScriptedTransport&) = delete;
    ~ScriptedTransport();

    // The script. Steps may be added while it is played.

    /// The protocol writes exactly @p octets.
    ScriptedTransport& expectWrite(Bytes octets);
    /// The protocol gets @p octets, in one delivery.
    ScriptedTransport& deliver(Bytes octets);
    ScriptedTransport& thenDeliver(Bytes octets) { return deliver(std::move(octets)); }
    /// The protocol closes: loseConnection, and gets ConnectionDone.
    ScriptedTransport& expectClose();
    /// The protocol aborts: abortConnection, and gets ConnectionAborted.
    ScriptedTransport& expectAbort();
    /// The time moves on by @p amount before the next step: the test must advance the clock().
    ScriptedTransport& wait(Duration amount);
    /// The peer closes: the protocol gets connectionLost with @p reason.
    ScriptedTransport& thenLose(const Failure& reason = failureOf<ConnectionDone>());
    /// The next write fails: what it has is dropped, and the protocol gets connectionLost with @p reason.
    ScriptedTransport& failWrite(const Failure& reason = failureOf<ConnectionLost>());
    /// Reading fails now: the protocol gets connectionLost with @p reason.
    ScriptedTransport& failRead(const Failure& reason = failureOf<ConnectionLost>()) { return thenLose(reason); }

    // Playing it.

    /// Connects @p protocol, then plays what can be played.
    void connect(const std::shared_ptr<Protocol>& protocol);
    /// Plays what can be played now; wanted only if the protocol did something from outside a callback.
    void play();
    /// Moves the clock, then plays.
    void advance(Duration amount);

    /// Whether all steps are done and nothing else has come.
    bool done() const;
    /// @throws ScriptMismatch unless done(): with the script, the place, what was expected and what came
    void verify() const;

    /// All that was written.
    const Bytes& value() const;
    task::Clock& clock() const noexcept;

private:
    class Stage;
    std::shared_ptr<Stage> stage_;
};

}  // namespace torsion::testing
