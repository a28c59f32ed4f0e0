#pragma once

#include <atomic>
#include <concepts>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <torsion/core/error.hpp>

namespace torsion {

/// A cheap shared value that holds one exception (twisted.python.failure.Failure).
///
/// Making one from a typed error, copying and checking it never throws an exception internally. Failures that say no
/// more than their type, such as failureOf<ConnectionDone>(), are shared and allocate nothing. A Failure may be copied
/// to another thread.
class Failure {
public:
    /// Holds @p error, any exception class.
    template <class E>
        requires std::derived_from<std::remove_cvref_t<E>, std::exception>
    explicit(false) Failure(E&& error) : Failure(new Value<std::remove_cvref_t<E>>(std::forward<E>(error))) {}

    /// Holds what was thrown, of any type.
    explicit Failure(std::exception_ptr thrown);

    /// Holds the exception that is being handled (Python: Failure()). @throws RuntimeError if there is none
    static Failure current();

    Failure(const Failure& other) noexcept : held_(other.held_) {
        held_->references.fetch_add(1, std::memory_order_relaxed);
    }
    Failure(Failure&& other) noexcept : held_(other.held_) {
        held_->references.fetch_add(1, std::memory_order_relaxed);
    }
    Failure& operator=(const Failure& other) noexcept;
    ~Failure() { release(held_); }

    /// Whether the error is one of the types, or derived from one.
    template <class... Types>
    bool check() const noexcept {
        return (holds<Types>() || ...);
    }

    /// Returns if the error is one of the types; throws it otherwise.
    template <class... Types>
    void trap() const {
        if (!check<Types...>()) raise();
    }

    /// The error as a T, or null.
    template <class T>
    const T* value() const noexcept {
        if constexpr (requires(const std::exception* error) { static_cast<const T*>(error); }) {
            // Mostly it is that very type, and nothing need be searched.
            if (held_->type() == typeid(T)) return static_cast<const T*>(held_->exception());
        }
        if constexpr (std::is_polymorphic_v<T>) {
            return dynamic_cast<const T*>(held_->exception());
        } else {
            return nullptr;
        }
    }

    /// The text of the error; its type's name if it has none.
    std::string getErrorMessage() const;

    /// The readable name of the error's type.
    std::string typeName() const;

    /// "[Failure instance: type: message]"
    std::string str() const;

    /// Throws the error (Python: raiseException).
    [[noreturn]] void raise() const {
        held_->raise();
        __builtin_unreachable();  // g++ forgets the attribute of a virtual call under -fsanitize=undefined
    }

    /// Whether both hold the very same error object.
    bool operator==(const Failure& other) const noexcept { return held_ == other.held_; }

private:
    template <class E>
    friend const Failure& failureOf();

    struct Held {
        virtual ~Held() = default;
        virtual const std::exception* exception() const noexcept = 0;
        virtual const std::type_info& type() const noexcept = 0;
        [[noreturn]] virtual void raise() const = 0;
        std::atomic<unsigned> references{1};
    };

    template <class E>
    struct Value final : Held {
        explicit Value(E e) : error(std::move(e)) {}
        const std::exception* exception() const noexcept override { return &error; }
        const std::type_info& type() const noexcept override { return typeid(error); }
        [[noreturn]] void raise() const override { throw error; }
        E error;
    };

    struct Thrown;

    explicit Failure(Held* held) noexcept : held_(held) {}

    template <class T>
    bool holds() const noexcept {
        if constexpr (std::derived_from<T, std::exception>) {
            return value<T>() != nullptr;
        } else {
            return held_->type() == typeid(T);
        }
    }

    static void release(Held* held) noexcept {
        if (held->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete held;
    }

    Held* held_;
};

/// The one shared Failure of an error type that says no more than its name: allocates once a process.
template <class E>
const Failure& failureOf() {
    static const Failure& failure = *new Failure(new Failure::Value<E>(E()));
    return failure;
}

}  // namespace torsion
