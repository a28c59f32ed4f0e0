#pragma once

#include <type_traits>
#include <utility>

#include <torsion/core/coroutine.hpp>
#include <torsion/core/defer_errors.hpp>
#include <torsion/core/defer_result.hpp>
#include <torsion/core/deferred_callbacks.hpp>
#include <torsion/core/deferred_core.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/function.hpp>

namespace torsion {

namespace detail {

/// Stands before defaulted source positions, so that no string becomes a Deferred by accident.
struct Here {
    constexpr Here() noexcept {}
};

/// Stands for a value where there is none.
class NoValue {
    NoValue() = delete;
};

}  // namespace detail

/// A result that is not there yet, and what shall be done with it (twisted.internet.defer.Deferred).
///
/// A Deferred is a handle; copies share one state. One side fires it once, with callback() or errback(); the other adds
/// callbacks, or awaits it. Callbacks run in order and synchronously, inside callback() or, if there is a result
/// already, inside addCallback(). Each gets what the one before returned. A callback that throws or returns a Failure
/// leads to the next errback; an errback that returns a value leads back; one that returns a Deferred makes the rest
/// wait for that one.
///
/// A callback that changes the type returns the next handle, and the old one can only fire any more:
/// @code
///     Deferred<std::string> text = fetch().addCallback([](const Page& page) { return page.title(); });
/// @endcode
/// Using the old one to add throws StaleDeferred. Awaiting a Deferred, or returning it from a callback, claims its
/// value at once: it goes on as a Deferred without value. So only a Deferred<void> can be awaited by several.
///
/// A Deferred belongs to one thread. When the last handle of an unfired one goes, what waits for it is destroyed:
/// callbacks, and the frames of coroutines that await it. A failure that nobody handled is then logged as critical,
/// "Unhandled error in Deferred".
template <class T = void>
class Deferred {
    static_assert(!std::is_reference_v<T> && !std::is_const_v<T>, "a Deferred holds a value of its own");
    static_assert(!std::is_same_v<T, Failure>, "a Failure comes by errback");
    static_assert(!detail::DeferredValue<T>::isDeferred && !detail::DeferredValue<T>::isResult,
                  "callbacks already unpack this");

public:
    using value_type = T;
    using promise_type = detail::Promise<T>;
    /// Called by cancel() of an unfired Deferred: stops the work, and may fire the Deferred.
    using Canceller = Function<void(Deferred<T>&)>;

    /// One that is not fired.
    Deferred(detail::Here = detail::Here(), const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : core_(detail::newCore(&detail::typeRecord<T>, detail::Site(file, line))) {}

    /// The same, on behalf of another place in the source.
    Deferred(const char* file, int line) : core_(detail::newCore(&detail::typeRecord<T>, detail::Site(file, line))) {}

    /// One whose cancel() calls @p canceller, which is destroyed at the firing. A canceller must not hold a handle of
    /// its own Deferred (the two would keep each other): it is given one.
    explicit Deferred(Canceller canceller, const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : Deferred(file, line) {
        if (canceller) core_->setCanceller(detail::poolNew<CancellerOf>(std::move(canceller)));
    }

    /// False for a handle that was moved from; any other use of such a one throws StaleDeferred.
    bool valid() const noexcept { return static_cast<bool>(core_); }
    explicit operator bool() const noexcept { return valid(); }

    /// Fires with a value. @throws AlreadyCalledError, StaleDeferred
    void callback(std::conditional_t<std::is_void_v<T>, detail::NoValue, T> value, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) const requires(!std::is_void_v<T>) {
        const detail::CoreRef core = firing();
        if (!core->prepareFire(detail::Site(file, line))) return;
        core->slot().set(std::move(value));
        core->fired();
    }

    /// Fires without a value. @throws AlreadyCalledError, StaleDeferred
    void callback(detail::Here = detail::Here(), const char* file = __builtin_FILE(), int line = __builtin_LINE()) const
        requires(std::is_void_v<T>) {
        const detail::CoreRef core = firing();
        if (!core->prepareFire(detail::Site(file, line))) return;
        core->slot().setVoid();
        core->fired();
    }

    /// Fires with a failure; any exception object converts to one. @throws AlreadyCalledError, StaleDeferred
    void errback(Failure failure, const char* file = __builtin_FILE(), int line = __builtin_LINE()) const {
        const detail::CoreRef core = firing();
        if (!core->prepareFire(detail::Site(file, line))) return;
        core->slot().set(std::move(failure));
        core->fired();
    }

    /// Fires with the exception that is being handled. @throws RuntimeError if there is none
    void errback(detail::Here = detail::Here(), const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) const {
        errback(Failure::current(), file, line);
    }

    /// Asks for an early end. Unfired: calls the canceller, and fires with CancelledError unless that has fired it;
    /// without a canceller one later firing is swallowed. A coroutine's: cancels what it awaits, and the body decides.
    /// Fired, and waiting for a Deferred that a callback returned: cancels that. Otherwise does nothing. Lets out what
    /// a canceller throws.
    void cancel() const { core().cancel(); }

    /// Whether it was fired, with whatever result.
    bool called() const { return core().called(); }

    /// Holds back the callbacks until as many calls of unpause().
    void pause() const { core().pause(); }
    /// @throws RuntimeError without a pause()
    void unpause() const { core().unpause(); }
    /// Whether callbacks are held back, by pause() or by a Deferred that a callback returned.
    bool paused() const { return core().paused(); }

    /// Adds what is done with a success: @p f takes the value or nothing; it returns the next value, nothing, a
    /// Deferred, a Failure or a defer::Result. @return the handle for what comes then. @throws StaleDeferred
    template <class F>
    auto addCallback(F&& f) const {
        using D = std::decay_t<F>;
        using U = typename detail::Becomes<detail::ValueReturn<D, T>, T>::type;
        return add<U>(detail::OnValue<T, U, D>{std::forward<F>(f)});
    }

    /// Adds what is done with a failure: @p f takes it or nothing; it returns a T (or something that converts to one),
    /// a Deferred<T>, or a Failure (`return failure;` passes it on). If it returns nothing, the rest is a
    /// Deferred<void>, and a success loses its value here. @throws StaleDeferred
    template <class F>
    auto addErrback(F&& f) const {
        using D = std::decay_t<F>;
        using V = typename detail::Becomes<detail::FailureReturn<D>, T>::type;
        using U = detail::Joined<T, V>;
        return add<U>(detail::OnFailure<T, U, D>{std::forward<F>(f)});
    }

    /// Adds one for each outcome. What @p f throws is not seen by @p g. If one returns nothing, so do both. @throws
    /// StaleDeferred
    template <class F, class G>
    auto addCallbacks(F&& f, G&& g) const {
        using D = std::decay_t<F>;
        using E = std::decay_t<G>;
        using V = typename detail::Becomes<detail::ValueReturn<D, T>, T>::type;
        using W = typename detail::Becomes<detail::FailureReturn<E>, V>::type;
        using U = detail::Joined<V, W>;
        return add<U>(detail::OnEither<T, U, D, E>{std::forward<F>(f), std::forward<G>(g)});
    }

    /// Adds what is done in either case: @p f takes a defer::Result<T> or nothing, and may return that very Result to
    /// pass it on. @throws StaleDeferred
    template <class F>
    auto addBoth(F&& f) const {
        using D = std::decay_t<F>;
        using U = typename detail::Becomes<detail::ResultReturn<D, T>, T>::type;
        return add<U>(detail::OnBoth<T, U, D>{std::forward<F>(f)});
    }

    /// Fires @p other with the result, which ends here. Other than in Twisted, long chains take no stack. @throws
    /// StaleDeferred
    Deferred<void> chainDeferred(const Deferred<T>& other) const {
        if (!other.valid()) detail::throwEmptyHandle(&detail::typeRecord<T>);
        return add<void>([target = other.core_](detail::Core& core) {
            target->demandFirst(&detail::typeRecord<T>);
            if (target->prepareFire(detail::Site())) {
                target->slot().take(core.slot());
                target->firedInLoop();
            }
            core.slot().setVoid();
        });
    }

    /// Cancels it if it has not come out after @p timeout on @p clock. A CancelledError becomes defer::TimeoutError
    /// then; anything else that the canceller makes of it, a late success too, passes. The timer ends as soon as there
    /// is a result. What was added before runs before (DF-13).
    ///
    /// A coroutine with a deadline is `co_await talk().addTimeout(5s, reactor)`.
    /// @param timeout a Duration
    /// @param clock a ReactorTime
    /// @throws ValueError if @p timeout is negative; StaleDeferred
    template <class Timeout, class Clock>
    Deferred<T> addTimeout(Timeout timeout, Clock& clock) const {
        return addTimeout(timeout, clock, [](defer::Result<T> result, auto limit) -> defer::Result<T> {
            if (result.ok() || !result.failure().template check<defer::CancelledError>()) return result;
            return detail::timeoutFailure(limit.count());
        });
    }

    /// The same with a word of one's own: @p onTimeoutCancel is called if the timer has cancelled, and only then, with
    /// the defer::Result<T> that came of it and the timeout; what it returns or throws is the result from there on.
    template <class Timeout, class Clock, class F>
    Deferred<T> addTimeout(Timeout timeout, Clock& clock, F onTimeoutCancel) const {
        using Time = decltype(clock.seconds());
        using Timer = decltype(clock.callLater(timeout, [] {}));
        using R = std::remove_cvref_t<std::invoke_result_t<F&, defer::Result<T>, Time>>;
        static_assert(std::is_convertible_v<typename detail::Becomes<R, T>::type, T> || std::is_same_v<R, T>,
                      "onTimeoutCancel gives what the Deferred gives: a T, a Failure, a Result<T> or a Deferred<T>");
        core().demandTail(&detail::typeRecord<T>);
        const Deferred<void> timedOut;
        Timer timer = clock.callLater(timeout, [timedOut, self = *this] {
            timedOut.callback();
            self.cancel();
        });
        detail::CoreRef flag(timedOut.identity());
        return add<T>(detail::OnTimeout<T, Timer, Time, F>{std::move(timer), std::move(flag), timeout,
                                                           std::move(onTimeoutCancel)});
    }

    /// In a coroutine: waits, then gives the value or throws the failure's error. Does not suspend if the result is
    /// there. Awaiting a local leaves the frame as owner of what it waits for, in a circle if nobody else fires it:
    /// write `co_await std::move(d)` for one whose last use this is.
    detail::Awaiter<T> operator co_await() const& { return detail::Awaiter<T>(claim()); }
    detail::Awaiter<T> operator co_await() && {
        claim();
        return detail::Awaiter<T>(std::move(core_));
    }

    /// Whether both are handles of the same Deferred.
    friend bool operator==(const Deferred& a, const Deferred& b) noexcept { return a.core_.get() == b.core_.get(); }

    /// For the library: takes the value for another waiter. What is left is a Deferred<void>. @throws StaleDeferred
    detail::CoreRef claim() const {
        core().demandTail(&detail::typeRecord<T>);
        core_->setTail(&detail::typeRecord<void>);
        return core_;
    }

    /// For the library: which Deferred it is. No reference.
    detail::Core* identity() const noexcept { return core_.get(); }

    /// For the library: a handle of an existing core.
    explicit Deferred(detail::CoreRef core) noexcept : core_(std::move(core)) {}

private:
    class CancellerOf final : public detail::CancellerBase {
    public:
        explicit CancellerOf(Canceller f) noexcept : function_(std::move(f)) {}
        void call(detail::Core& core) override {
            Deferred<T> handle{detail::CoreRef(&core)};
            function_(handle);
        }
        void dispose() noexcept override { detail::poolDelete(this); }

    private:
        Canceller function_;
    };

    detail::Core& core() const {
        if (!core_) detail::throwEmptyHandle(&detail::typeRecord<T>);
        return *core_.get();
    }

    /// A reference for the length of a firing, during which the last handle may go.
    detail::CoreRef firing() const {
        core().demandFirst(&detail::typeRecord<T>);
        return core_;
    }

    template <class U, class Step>
    Deferred<U> add(Step&& step) const {
        core().demandTail(&detail::typeRecord<T>);
        detail::CoreRef keep = core_;  // running may destroy this handle
        detail::appendStep(*keep.get(), std::forward<Step>(step));
        keep->setTail(&detail::typeRecord<U>);
        keep->run();
        return Deferred<U>(std::move(keep));
    }

    detail::CoreRef core_;
};

}  // namespace torsion
