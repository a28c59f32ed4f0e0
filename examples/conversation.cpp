#include <torsion/examples/conversation.hpp>

#include <optional>

#include <fmt/format.h>

#include <torsion/core/scope.hpp>
#include <torsion/examples/report.hpp>

namespace examples {

using namespace torsion;

struct Conversation::State {
    std::optional<std::string> good;
    std::optional<std::string> bad;
    bool mustEndCleanly = false;
    bool lastsForEver = false;
    Deferred<void> over;
    DelayedCall silence;
    Duration patience{};
};

Conversation::Conversation() : state_(std::make_shared<State>()) {}

void Conversation::heard(BytesView line) {
    if (state_->silence.active()) state_->silence.reset(state_->patience);
    received(line);
}

void Conversation::ok(const std::string& what) { state_->good = what; }

void Conversation::okIfEndsCleanly(const std::string& what) {
    state_->good = what;
    state_->mustEndCleanly = true;
}

void Conversation::lastsForEver() { state_->lastsForEver = true; }

void Conversation::bad(const std::string& why) {
    if (!state_->bad) state_->bad = why;
}

void Conversation::lost(const Failure& reason) {
    examples::lost(reason);
    const bool clean = reason.check<ConnectionDone>();
    if (!state_->good) {
        bad(clean ? "the peer closed the connection too early" : reason.getErrorMessage());
    } else if (state_->mustEndCleanly && !clean) {
        bad(reason.getErrorMessage());
    }
    if (state_->silence.active()) state_->silence.cancel();
    if (!state_->over.called()) state_->over.callback();
}

Deferred<void> Conversation::over() const { return state_->over; }

void Conversation::limitSilence(ReactorTime& clock, Duration patience, Function<void()> giveUp) {
    state_->patience = patience;
    // The timer may not own the conversation, which owns the timer.
    state_->silence = clock.callLater(patience, [weak = std::weak_ptr(state_), giveUp = std::move(giveUp)]() mutable {
        const auto state = weak.lock();
        if (!state) return;
        const std::chrono::duration<double> seconds = state->patience;
        if (!state->bad) state->bad = fmt::format("the peer was silent for {:g} s", seconds.count());
        giveUp();
    });
}

int Conversation::conclude(bool interrupted) {
    if (interrupted) {
        if (state_->lastsForEver) {
            state_->good = "ended by a signal";
            state_->bad.reset();
        } else {
            state_->bad = "interrupted by a signal";
        }
    }
    print(state_->bad ? "BAD: " + *state_->bad : "OK: " + state_->good.value_or("the end"));
    return state_->bad ? 1 : 0;
}

}  // namespace examples
