#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/delayed_call.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion {

/// Timers and Deferreds that must not outlive something, mostly a connection: cancel() ends them all.
/// A Protocol has one, cancelled right after connectionLost.
class Scope {
public:
    Scope() noexcept = default;
    Scope(Scope&&) noexcept = default;
    Scope& operator=(Scope&& other) noexcept {
        if (this != &other) {
            cancel();
            state_ = std::move(other.state_);
            cancelled_ = other.cancelled_;
        }
        return *this;
    }
    ~Scope() { cancel(); }

    /// clock.callLater that is cancelled with the scope. After cancel() nothing is scheduled.
    DelayedCall callLater(ReactorTime& clock, Duration delay, Function<void()> function);

    /// Cancels @p deferred with the scope, if it has not fired by then. @return the same Deferred
    template <class T>
    Deferred<T> watch(Deferred<T> deferred) {
        add([deferred](bool cancelIt) {
            if (cancelIt) deferred.cancel();
            return deferred.called() && !deferred.paused();
        });
        return deferred;
    }

    /// Lets @p deferred, mostly that of a coroutine which has just begun, go on for as long as the scope:
    /// `scope().spawn(talk())`. Nobody hears what it comes to. A failure is logged as critical at once, but no
    /// CancelledError.
    template <class T>
    void spawn(const Deferred<T>& deferred) {
        watch(deferred.addErrback([](const Failure& failure) { report(failure); }));
    }

    /// Cancels all, the newest first; what is added later is cancelled at once. Exceptions are logged. What is
    /// cancelled may destroy this.
    void cancel() noexcept;

    bool cancelled() const noexcept { return cancelled_; }

private:
    /// Something to cancel, if told so. @return whether it is over
    using Watched = Function<bool(bool cancelIt)>;

    struct State {
        std::vector<DelayedCall> timers;
        std::vector<Watched> watched;
        std::size_t timersToPrune = kFirstPrune;
        std::size_t watchedToPrune = kFirstPrune;
    };

    /// What is over is forgotten whenever there is this much, and then twice what is left: a scope does not grow with
    /// time.
    static constexpr std::size_t kFirstPrune = 16;

    void add(Watched watched);
    static void cancelOne(Watched& watched) noexcept;
    static void report(const Failure& failure);
    State& state();

    std::unique_ptr<State> state_;  // most connections never need it
    bool cancelled_ = false;
};

}  // namespace torsion
