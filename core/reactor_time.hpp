#pragma once

#include <vector>

#include <torsion/core/delayed_call.hpp>
#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>

namespace torsion {

/// Something that knows the time and calls back later (IReactorTime): a reactor, or the Clock of a test.
class ReactorTime {
public:
    virtual ~ReactorTime() = default;

    /// The time on a monotonic clock, as of now.
    virtual Duration seconds() const = 0;

    /// Calls @p function once, @p delay from now, in a later turn. Equal deadlines run in the order of the calls (D8).
    /// An exception from it is logged. @throws ValueError if @p delay is negative or @p function empty (DC-1)
    virtual DelayedCall callLater(Duration delay, Function<void()> function) = 0;

    /// All calls that are still to come, in no order.
    virtual std::vector<DelayedCall> getDelayedCalls() const = 0;
};

}  // namespace torsion
