#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <torsion/core/failure.hpp>

namespace torsion {

/// A handle was used that no longer fits its Deferred: it was moved from, it adds callbacks although a later callback
/// or an await has changed or claimed the value, or it fires with a type that is not the first. The text names both
/// types and where the Deferred was made. Twisted has no such error, for Python has no types to mix up.
class StaleDeferred : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
};

namespace defer {

using torsion::StaleDeferred;

/// What a Deferred fails with when cancel() finds nobody who would fire it otherwise
/// (twisted.internet.defer.CancelledError).
TORSION_ERROR(CancelledError, torsion::detail::ExactError, "The Deferred was cancelled");

/// A Deferred did not fire in time. Not torsion::TimeoutError, which ends a connection attempt.
TORSION_ERROR(TimeoutError, torsion::detail::ExactError, "The Deferred timed out");

/// callback() or errback() of a Deferred that was fired before. The text says where it was made.
class AlreadyCalledError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
};

/// The first failure among several Deferreds (twisted.internet.defer.FirstError).
class FirstError : public Error {
public:
    FirstError(Failure failure, std::size_t position)
        : Error("FirstError[#" + std::to_string(position) + ", " + failure.str() + "]"),
          subFailure(std::move(failure)),
          index(position) {}

    Failure subFailure;  ///< what went wrong
    std::size_t index;   ///< the position of the Deferred that failed, from 0
};

}  // namespace defer

}  // namespace torsion
