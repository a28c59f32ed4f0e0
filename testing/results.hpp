#pragma once

#include <optional>
#include <string>
#include <utility>

#include <torsion/core/deferred.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/failure.hpp>

/// What a Deferred came to, for a test that knows that it has fired (TestCase of twisted.trial.unittest). None of these
/// waits: move a Clock or pump a connection before, or await the Deferred.
namespace torsion::testing {

/// What a test finds wrong (trial's FailTest). The text says all of it.
class FailTest : public Error {
public:
    using Error::Error;
};

namespace detail {

/// Whether there is a result to take: fired, and not waiting for a Deferred that a callback returned.
template <class T>
bool hasResult(const Deferred<T>& deferred) {
    return deferred.called() && !deferred.paused();
}

/// The result, which the Deferred has no more afterwards.
template <class T>
std::optional<defer::Result<T>> takeResult(const Deferred<T>& deferred) {
    std::optional<defer::Result<T>> taken;
    if (hasResult(deferred)) {
        deferred.addBoth([&taken](defer::Result<T> result) { taken.emplace(std::move(result)); });
    }
    return taken;
}

[[noreturn]] void throwNoResult(const char* wanted);
[[noreturn]] void throwUnexpectedFailure(const Failure& failure);
[[noreturn]] void throwUnexpectedSuccess();
[[noreturn]] void throwOtherFailure(const std::string& wanted, const Failure& failure);
[[noreturn]] void throwUnexpectedResult(const std::string& found);
std::string join(const std::string& sofar, const std::type_info& type);

template <class T>
void demandFailure(const std::optional<defer::Result<T>>& result) {
    if (!result) throwNoResult("failureResultOf: a Failure");
    if (result->ok()) throwUnexpectedSuccess();
}

}  // namespace detail

/// The value of @p deferred, which is taken out of it.
/// @throws FailTest if it has no result yet, or a Failure: the text has that
template <class T>
T successResultOf(const Deferred<T>& deferred) {
    std::optional<defer::Result<T>> result = detail::takeResult(deferred);
    if (!result) detail::throwNoResult("successResultOf: a success");
    if (!result->ok()) detail::throwUnexpectedFailure(result->failure());
    return std::move(*result).value();
}

/// The Failure of @p deferred, which is handled by that.
/// @tparam Types if there are any, one that it must be
/// @throws FailTest if it has no result yet, a success, or a Failure of another type
template <class... Types, class T>
Failure failureResultOf(const Deferred<T>& deferred) {
    const std::optional<defer::Result<T>> result = detail::takeResult(deferred);
    detail::demandFailure(result);
    const Failure failure = result->failure();
    if constexpr (sizeof...(Types) != 0) {
        if (!failure.check<Types...>()) {
            std::string wanted;
            ((wanted = detail::join(wanted, typeid(Types))), ...);
            detail::throwOtherFailure(wanted, failure);
        }
    }
    return failure;
}

/// Makes sure that @p deferred has no result yet; it may be fired and used afterwards.
/// @throws FailTest if it has one, which is taken out of it
template <class T>
void assertNoResult(const Deferred<T>& deferred) {
    const std::optional<defer::Result<T>> result = detail::takeResult(deferred);
    if (result) detail::throwUnexpectedResult(result->ok() ? "a success" : result->failure().str());
}

}  // namespace torsion::testing
