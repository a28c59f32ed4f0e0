#pragma once

#include <utility>

#include <torsion/core/duration.hpp>

namespace torsion {

namespace detail {
class Timer;
}

/// A handle to a call that callLater has scheduled (IDelayedCall). Copies refer to the same call; dropping them does
/// not cancel it. A handle may outlive its reactor and is then a cancelled call.
class DelayedCall {
public:
    /// Refers to nothing: active() is false, and the other methods throw AlreadyCalled.
    DelayedCall() noexcept = default;
    explicit DelayedCall(detail::Timer* timer) noexcept;
    DelayedCall(const DelayedCall& other) noexcept;
    DelayedCall(DelayedCall&& other) noexcept : timer_(std::exchange(other.timer_, nullptr)) {}
    DelayedCall& operator=(DelayedCall other) noexcept {
        std::swap(timer_, other.timer_);
        return *this;
    }
    ~DelayedCall();

    /// When it will run, on its reactor's clock.
    Duration getTime() const;

    /// Never run it; frees the function at once (DC-6). @throws AlreadyCalled, AlreadyCancelled (DC-5), as do the next
    /// two
    void cancel();

    /// Run it @p delay from now instead.
    void reset(Duration delay);

    /// Run it @p delay later than it would have; a negative delay makes it earlier.
    void delay(Duration delay);

    /// Whether it is still to come: false while it runs, too.
    bool active() const noexcept;

private:
    detail::Timer& pending() const;

    detail::Timer* timer_ = nullptr;
};

}  // namespace torsion
