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

/// As deferred.addTimeout(timeout, clock), for generic code.
template <class T>
Deferred<T> addTimeout(const Deferred<T>& deferred, Duration timeout, ReactorTime& clock) {
    return deferred.addTimeout(timeout, clock);
}

}  // namespace torsion::defer
