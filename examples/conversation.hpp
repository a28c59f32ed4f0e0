#pragma once

#include <memory>
#include <string>

#include <torsion/core/bytes.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/reactor_time.hpp>

namespace examples {

/// How a client's one conversation goes: its protocol tells, main awaits the end, and Options::run prints the verdict.
/// A cheap handle; copies mean the same conversation.
class Conversation {
public:
    Conversation();

    /// The peer said @p line: prints it. From now on the peer may be silent for the whole timeout again.
    void heard(torsion::BytesView line);

    /// All that was wanted has come: @p what will be behind "OK: ", however the connection then ends.
    void ok(const std::string& what);

    /// The same, provided that the connection ends cleanly.
    void okIfEndsCleanly(const std::string& what);

    /// It is meant to last until a signal: that is no interruption then.
    void lastsForEver();

    /// What came is wrong: @p why will be behind "BAD: ". The first verdict counts, and a bad one more than a good one.
    void bad(const std::string& why);

    /// The connection is gone: prints how, and ends the conversation; without an ok before, that is bad.
    void lost(const torsion::Failure& reason);

    /// Fires once the connection is gone.
    torsion::Deferred<void> over() const;

    /// For Options: after @p patience without a word the verdict is bad, and @p giveUp is called.
    void limitSilence(torsion::ReactorTime& clock, torsion::Duration patience, torsion::Function<void()> giveUp);

    /// For Options: prints the verdict. @param interrupted whether a signal ended it
    /// @return the status to exit with
    int conclude(bool interrupted);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace examples
