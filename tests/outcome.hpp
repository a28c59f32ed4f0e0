#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <torsion/core/deferred.hpp>

namespace torsion::test {

/// What came out of a Deferred, for a test to look at as often as it likes; testing::successResultOf takes it away.
template <class T>
class Outcome {
public:
    explicit Outcome(Deferred<T> deferred) : state_(std::make_shared<State>()) {
        deferred.addCallbacks([state = state_](T value) { state->value = std::move(value); },
                              [state = state_](const Failure& failure) { state->failure = failure; });
    }
    bool fired() const { return state_->value.has_value() || state_->failure.has_value(); }
    bool ok() const { return state_->value.has_value(); }
    const T& value() const { return state_->value.value(); }
    const Failure& failure() const { return state_->failure.value(); }
    std::string text() const { return failure().getErrorMessage(); }
    template <class E>
    bool failed() const {
        return state_->failure.has_value() && state_->failure->template check<E>();
    }
    void forget() { state_->value.reset(); }

private:
    struct State {
        std::optional<T> value;
        std::optional<Failure> failure;
    };
    std::shared_ptr<State> state_;
};
template <class T>
Outcome(Deferred<T>) -> Outcome<T>;

}  // namespace torsion::test
