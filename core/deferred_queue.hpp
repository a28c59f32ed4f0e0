#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/waiting_line.hpp>

namespace torsion::defer {

/// put() found the queue full (twisted.internet.defer.QueueOverflow).
TORSION_ERROR(QueueOverflow, torsion::detail::ExactError, "The queue is full");

/// get() found too many who wait already (twisted.internet.defer.QueueUnderflow).
TORSION_ERROR(QueueUnderflow, torsion::detail::ExactError, "Too many wait for the queue");

/// Values that were put and not yet asked for, or requests for values that are yet to come: first in, first out
/// (twisted.internet.defer.DeferredQueue). Of one thread. When it goes, those who wait are destroyed unfired.
template <class T>
class DeferredQueue {
public:
    static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

    /// @param size how many values may wait; @param backlog how many requests. Both must be chosen, for a queue that
    /// grows without bound hides its trouble.
    DeferredQueue(std::size_t size, std::size_t backlog) noexcept : size_(size), backlog_(backlog) {}

    /// Hands @p value to the first who waits, who runs from in here; else keeps it.
    /// @throws QueueOverflow if the queue is full
    void put(T value) {
        if (!waiting_.empty()) {
            waiting_.next().callback(std::move(value));
        } else if (values_.size() < size_) {
            values_.push_back(std::move(value));
        } else {
            throw QueueOverflow();
        }
    }

    /// The next value. Cancelling it while it waits leaves the line, and no value is lost.
    /// @throws QueueUnderflow if as many as the backlog allows wait already
    Deferred<T> get() {
        if (!values_.empty()) {
            T value = std::move(values_.front());
            values_.pop_front();
            return succeed(std::move(value));
        }
        if (waiting_.size() >= backlog_) throw QueueUnderflow();
        return waiting_.join();
    }

    std::size_t pending() const noexcept { return values_.size(); }   ///< how many values wait
    std::size_t waiting() const noexcept { return waiting_.size(); }  ///< how many requests wait

private:
    std::size_t size_;
    std::size_t backlog_;
    std::deque<T> values_;
    torsion::detail::WaitingLine<T> waiting_;
};

}  // namespace torsion::defer
