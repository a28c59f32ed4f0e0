#pragma once

#include <optional>
#include <utility>
#include <variant>

#include <torsion/core/failure.hpp>

namespace torsion::defer {

/// How a Deferred came out: a value or a Failure. It is what addBoth hands over, and a callback may return one to pass
/// it on.
template <class T>
class Result {
public:
    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Failure failure) : held_(std::in_place_index<1>, std::move(failure)) {}

    bool ok() const noexcept { return held_.index() == 0; }

    /// The value. @throws the failure's error if there is none
    T& value() & {
        demand();
        return *std::get_if<0>(&held_);
    }
    const T& value() const& {
        demand();
        return *std::get_if<0>(&held_);
    }
    T value() && {
        demand();
        return std::move(*std::get_if<0>(&held_));
    }

    /// The failure. @throws std::bad_variant_access if ok()
    const Failure& failure() const { return std::get<1>(held_); }

private:
    void demand() const {
        if (const Failure* failure = std::get_if<1>(&held_)) failure->raise();
    }

    std::variant<T, Failure> held_;
};

template <>
class Result<void> {
public:
    Result() noexcept = default;
    Result(Failure failure) : failure_(std::move(failure)) {}

    bool ok() const noexcept { return !failure_.has_value(); }

    /// Returns if there is success. @throws the failure's error otherwise
    void value() const {
        if (failure_) failure_->raise();
    }

    /// The failure. @throws std::bad_optional_access if ok()
    const Failure& failure() const { return failure_.value(); }

private:
    std::optional<Failure> failure_;
};

}  // namespace torsion::defer
