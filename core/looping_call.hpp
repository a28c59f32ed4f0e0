#pragma once

#include <cstdint>
#include <memory>

#include <torsion/core/defer.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion::task {

/// Calls a function again and again (twisted.internet.task.LoopingCall).
///
///     task::LoopingCall heartbeat(reactor, [this] { sendLine("PING"); });
///     heartbeat.start(30s);
///
/// Beats are counted from start(): a call that comes late, or takes longer than the interval, does not move the later
/// ones, and beats that were missed are not made up for (DC-9). If the function returns a Deferred, the next call waits
/// for it.
///
/// Unlike Twisted's, it lives as long as this object: no more calls come when that goes. Of the reactor's thread.
class LoopingCall {
public:
    /// @param f takes nothing; what it returns is dropped, but a Deferred is waited for
    template <class F>
    LoopingCall(ReactorTime& clock, F f) : LoopingCall(clock, Work(ignoringCount(std::move(f))), false) {}

    /// One whose function takes the number of beats since its last call as a std::int64_t, mostly 1
    /// (LoopingCall.withCount). A call for no beat at all is left out (DC-11).
    template <class F>
    static LoopingCall withCount(ReactorTime& clock, F f) {
        return LoopingCall(clock, Work(returningDeferred(std::move(f))), true);
    }

    LoopingCall(LoopingCall&&) noexcept;
    LoopingCall& operator=(LoopingCall&&) noexcept;
    ~LoopingCall();

    /// Begins. The first call comes from in here, unless @p now is false. An interval of zero is every turn.
    /// @return fires at stop(); fails with what the function threw or its Deferred failed with, which ends the loop
    /// (DC-10). To cancel it is to stop, and to cancel the call that is under way: `scope().spawn(loop.start(30s))`
    /// ends with the connection.
    /// @throws RuntimeError if it runs already; ValueError if @p interval is negative
    Deferred<void> start(Duration interval, bool now = true);

    /// Ends, after the call that is under way. May be started again. @throws RuntimeError unless it runs
    void stop();

    /// Leaves out the next call: a whole interval begins now. @throws RuntimeError unless it runs
    void reset();

    bool running() const noexcept;
    Duration interval() const noexcept;

private:
    struct State;
    using Work = Function<Deferred<void>(std::int64_t)>;

    LoopingCall(ReactorTime& clock, Work work, bool counting);

    /// Whatever @p f returns, what counts is when.
    template <class F>
    static auto returningDeferred(F f) {
        return [f = std::move(f)](std::int64_t count) mutable { return done(defer::maybeDeferred(f, count)); };
    }
    template <class F>
    static auto ignoringCount(F f) {
        return [f = std::move(f)](std::int64_t) mutable { return done(defer::maybeDeferred(f)); };
    }
    static Deferred<void> done(Deferred<void> result) { return result; }
    template <class T>
    static Deferred<void> done(const Deferred<T>& result) {
        return result.addCallback([] {});
    }

    std::shared_ptr<State> state_;
};

}  // namespace torsion::task
