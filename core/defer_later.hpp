#pragma once

#include <memory>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion::task {

/// A Deferred that fires @p delay from now (twisted.internet.task.deferLater without a function). Cancelling it cancels
/// the timer. @throws ValueError if @p delay is negative
inline Deferred<void> deferLater(ReactorTime& clock, Duration delay) {
    auto timer = std::make_shared<DelayedCall>();
    Deferred<void> later([timer](Deferred<void>&) { timer->cancel(); });
    *timer = clock.callLater(delay, [later] { later.callback(); });
    return later;
}

/// Calls @p f with @p args, @p delay from now, and gives what it comes to (twisted.internet.task.deferLater).
template <class F, class... Args>
auto deferLater(ReactorTime& clock, Duration delay, F f, Args... args) {
    return deferLater(clock, delay).addCallback([f = std::move(f), ... args = std::move(args)]() mutable {
        return defer::maybeDeferred(f, std::move(args)...);
    });
}

}  // namespace torsion::task

namespace torsion::defer {

/// Cancels @p deferred if it has not come out after @p timeout (Deferred.addTimeout). A CancelledError becomes
/// defer::TimeoutError then; anything else that the canceller makes of it stays. What was added before runs before.
/// @return the handle for what comes next
template <class T>
Deferred<T> addTimeout(const Deferred<T>& deferred, Duration timeout, ReactorTime& clock) {
    struct State {
        DelayedCall timer;
        bool timedOut = false;
    };
    auto state = std::make_shared<State>();
    state->timer = clock.callLater(timeout, [state, deferred] {
        state->timedOut = true;
        deferred.cancel();
    });
    return deferred.addBoth([state, timeout](Result<T> result) -> Result<T> {
        if (state->timer.active()) state->timer.cancel();
        if (!state->timedOut || result.ok() || !result.failure().template check<CancelledError>()) return result;
        return Failure(TimeoutError(std::to_string(timeout / std::chrono::milliseconds(1)) + " ms"));
    });
}

}  // namespace torsion::defer
