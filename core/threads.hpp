#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <torsion/core/baton.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/reactor.hpp>

/// Between a reactor's thread and others (twisted.internet.threads).
namespace torsion::threads {

namespace detail {

/// What a function without Deferreds comes to.
template <class R, class F>
defer::Result<R> outcomeOf(F& f) noexcept {
    try {
        if constexpr (std::is_void_v<R>) {
            f();
            return {};
        } else {
            return defer::Result<R>(f());
        }
    } catch (...) {
        return Failure::current();
    }
}

template <class R>
void fire(const Deferred<R>& deferred, defer::Result<R> result) {
    if (!result.ok()) {
        deferred.errback(result.failure());
    } else if constexpr (std::is_void_v<R>) {
        deferred.callback();
    } else {
        deferred.callback(std::move(result).value());
    }
}

/// What a thread waits for that another one works out.
template <class R>
struct Answer {
    torsion::detail::Baton baton;
    std::optional<defer::Result<R>> result;  ///< none if whoever had to give it is gone
};

/// The duty to give an answer: its end without one is an answer, too.
template <class R>
class Answerer {
public:
    explicit Answerer(std::shared_ptr<Answer<R>> answer) noexcept : answer_(std::move(answer)) {}
    Answerer(Answerer&&) noexcept = default;
    Answerer& operator=(Answerer&&) = delete;
    ~Answerer() {
        if (answer_) answer_->baton.give();
    }
    void give(defer::Result<R> result) {
        answer_->result = std::move(result);
        answer_->baton.give();
    }

private:
    std::shared_ptr<Answer<R>> answer_;
};

}  // namespace detail

/// Calls @p f with @p args on a thread of @p pool, and gives what it comes to on the reactor's own. To be called there,
/// too. A call that has begun cannot be stopped: cancelling the Deferred only drops the result (TH-3). If the reactor
/// leaves its loop first, or the pool drops the call, the Deferred never fires. The pool has to be stopped on the
/// reactor's thread, and before the reactor is destroyed (twisted.internet.threads.deferToThreadPool).
/// @param pool a ThreadPool, or whatever else has callInThread
/// @param f must not touch what belongs to the reactor's thread, Deferreds and transports above all
template <class Pool, class F, class... Args>
auto deferToThreadPool(ReactorThreads& reactor, Pool& pool, F f, Args... args) {
    using R = std::invoke_result_t<F&, Args...>;
    static_assert(!torsion::detail::DeferredValue<std::remove_cvref_t<R>>::isDeferred,
                  "a Deferred belongs to one thread: return its value, or use callFromThread");
    Deferred<R> result;
    auto call = [f = std::move(f), ... args = std::move(args)]() mutable -> R { return f(std::move(args)...); };
    try {
        // The handle is moved along, never copied or dropped off the reactor's thread: its count is not atomic.
        pool.callInThread([&reactor, handle = result, call = std::move(call)]() mutable {
            reactor.callFromThread([handle = std::move(handle), outcome = detail::outcomeOf<R>(call)]() mutable {
                if (!handle.called()) detail::fire(handle, std::move(outcome));
            });
        });
    } catch (...) {
        if (!result.called()) result.errback();  // the system has no thread to give
    }
    return result;
}

/// The same on a thread of the reactor's own pool (twisted.internet.threads.deferToThread).
template <class F, class... Args>
auto deferToThread(ReactorThreads& reactor, F f, Args... args) {
    return deferToThreadPool(reactor, reactor, std::move(f), std::move(args)...);
}

/// Calls these one after the other on one thread of the pool. An exception is logged and ends the rest
/// (twisted.internet.threads.callMultipleInThread).
inline void callMultipleInThread(ReactorThreads& reactor, std::vector<Function<void()>> functions) {
    reactor.callInThread([functions = std::move(functions)]() mutable {
        for (Function<void()>& function : functions) function();
    });
}

/// From another thread: calls @p f with @p args on the reactor's thread, waits for what it comes to, a Deferred's value
/// included, and returns that or throws its error (TH-4).
///
/// On the reactor's own thread it would wait for itself for ever.
/// @throws RuntimeError if the reactor, or the Deferred's producer, goes away before there is a result
template <class F, class... Args>
auto blockingCallFromThread(ReactorThreads& reactor, F f, Args... args) {
    using R = typename decltype(defer::maybeDeferred(f, std::move(args)...))::value_type;
    const auto answer = std::make_shared<detail::Answer<R>>();
    detail::Answerer<R> answerer(answer);
    reactor.callFromThread([answerer = std::move(answerer), f = std::move(f), ... args = std::move(args)]() mutable {
        defer::maybeDeferred(f, std::move(args)...)
            .addBoth([answerer = std::move(answerer)](defer::Result<R> result) mutable {
                answerer.give(std::move(result));
            });
    });
    answer->baton.take();
    if (!answer->result) {
        throw RuntimeError("There is no result: the reactor, or who would have fired the Deferred, is gone");
    }
    return std::move(*answer->result).value();
}

}  // namespace torsion::threads
