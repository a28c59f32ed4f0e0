#pragma once

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/core/threads.hpp>

namespace torsion::threads {

namespace detail {

/// Takes a result back to the reactor that waits for it. If it dies before there is one, that is the result.
///
/// The Deferred's handle is moved along, and only fired or dropped at home: its count is not atomic.
template <class R>
class WayHome {
public:
    WayHome(ReactorThreads& home, Deferred<R> deferred) : home_(&home), deferred_(std::move(deferred)) {}
    WayHome(WayHome&& other) noexcept
        : home_(std::exchange(other.home_, nullptr)), deferred_(std::move(other.deferred_)) {}
    WayHome& operator=(WayHome&&) = delete;
    ~WayHome() {
        if (home_ != nullptr)
            bring(Failure(RuntimeError("The reactor that was called ended before there was a result")));
    }

    void bring(defer::Result<R> result) {
        std::exchange(home_, nullptr)
            ->callFromThread([handle = std::move(deferred_), outcome = std::move(result)]() mutable {
                if (!handle.called()) fire(handle, std::move(outcome));
            });
    }

private:
    ReactorThreads* home_;
    Deferred<R> deferred_;
};

}  // namespace detail

/// Calls @p f with @p args on the thread of the reactor @p other, and gives what it comes to, a Deferred's value
/// included, on that of @p home. To be called there. Twisted has one reactor, and so no such call; deferToThread is
/// its like for threads.
///
/// Calls from one reactor to another are made in the order in which they were asked for. Cancelling the Deferred only
/// drops the result. If @p other ends first, it fails with RuntimeError; if @p home does, it never fires. Both must
/// live until it has fired; what ReactorPool::reactor gives lives as long as the pool.
/// @param f moved to the other thread with @p args, called and destroyed there; neither they nor the result may refer
/// to what belongs to one reactor: transports, protocols, Deferreds
template <class F, class... Args>
auto deferToReactor(ReactorThreads& home, ReactorThreads& other, F f, Args... args) {
    using R = typename decltype(defer::maybeDeferred(f, std::move(args)...))::value_type;
    Deferred<R> result;
    other.callFromThread([way = detail::WayHome<R>(home, result), f = std::move(f),
                          ... args = std::move(args)]() mutable {
        defer::maybeDeferred(f, std::move(args)...).addBoth([way = std::move(way)](defer::Result<R> outcome) mutable {
            way.bring(std::move(outcome));
        });
    });
    return result;
}

}  // namespace torsion::threads
