#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <torsion/core/deferred.hpp>
#include <torsion/core/gather_results.hpp>

/// The helpers of twisted.internet.defer.
namespace torsion::defer {

/// A Deferred that has fired with @p value.
template <class T>
Deferred<std::decay_t<T>> succeed(T&& value, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Deferred<std::decay_t<T>> fired(file, line);
    fired.callback(std::forward<T>(value), file, line);
    return fired;
}

/// A Deferred<void> that has fired.
inline Deferred<void> succeed(torsion::detail::Here = torsion::detail::Here(), const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
    Deferred<void> fired(file, line);
    fired.callback(torsion::detail::Here(), file, line);
    return fired;
}

/// A Deferred that has failed; any exception object converts to a Failure.
template <class T = void>
Deferred<T> fail(Failure failure, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Deferred<T> failed(file, line);
    failed.errback(std::move(failure), file, line);
    return failed;
}

/// A Deferred that has failed with the exception being handled. @throws RuntimeError if there is none
template <class T = void>
Deferred<T> fail(torsion::detail::Here = torsion::detail::Here(), const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
    return fail<T>(Failure::current(), file, line);
}

/// Calls @p f and makes a Deferred of what comes out: a Deferred (so a coroutine's too) is itself, a value has
/// succeeded, an exception or a returned Failure has failed (as Deferred<void>, for a Failure has no other type).
template <class F, class... Args>
auto maybeDeferred(F&& f, Args&&... args) {
    using R = std::remove_cvref_t<std::invoke_result_t<F, Args...>>;
    using T = typename torsion::detail::Becomes<R, void>::type;
    try {
        if constexpr (std::is_void_v<R>) {
            std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
            return succeed();
        } else if constexpr (torsion::detail::DeferredValue<R>::isDeferred) {
            return Deferred<T>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...));
        } else if constexpr (std::is_same_v<R, Failure>) {
            return fail<T>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...));
        } else if constexpr (torsion::detail::DeferredValue<R>::isResult) {
            R result = std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
            if (!result.ok()) return fail<T>(result.failure());
            if constexpr (std::is_void_v<T>) {
                return succeed();
            } else {
                return succeed(std::move(result).value());
            }
        } else {
            return succeed(R(std::invoke(std::forward<F>(f), std::forward<Args>(args)...)));
        }
    } catch (...) {
        return fail<T>();
    }
}

/// Calls @p f, which is no asynchronous function, and makes a fired Deferred of its value or its exception.
template <class F, class... Args>
auto execute(F&& f, Args&&... args) {
    static_assert(!torsion::detail::DeferredValue<std::remove_cvref_t<std::invoke_result_t<F, Args...>>>::isDeferred,
                  "for a function that returns a Deferred there is maybeDeferred");
    return maybeDeferred(std::forward<F>(f), std::forward<Args>(args)...);
}

/// Logs the failure and hands it on: `d.addErrback(defer::logError)` (twisted.internet.defer.logError). If nobody
/// handles it further on, it is logged once more.
Failure logError(const Failure& failure);

/// Makes every Deferred note where it is fired first, for the text of AlreadyCalledError. Where it was made, it always
/// knows. For all threads.
inline void setDebugging(bool on) noexcept { torsion::detail::setDebugging(on); }
inline bool getDebugging() noexcept { return torsion::detail::getDebugging(); }

}  // namespace torsion::defer
