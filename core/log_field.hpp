#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <torsion/core/failure.hpp>
#include <torsion/core/log_event.hpp>

namespace torsion::logger {

/// A name and a reference to a value, for one call of a Logger: made by field().
template <class T>
struct Field {
    std::string_view name;
    const T& value;
};

/// Names a value for an event: `log.info("{user} came in", field("user", name))`.
///
/// @param value a bool, a number, a text, a LogLevel, a Failure, anything with `std::string str() const` (such as an
/// Address), or a callable that returns one of these, which is called only if somebody wants the event. An exception of
/// the callable, of str() or of a conversion to text becomes the value.
template <class T>
constexpr Field<T> field(std::string_view name, const T& value) noexcept {
    return {name, value};
}

namespace detail {

/// Where the value of a field lives during the call, unless it lives with the caller.
struct FieldStorage {
    std::string text;
    std::optional<Failure> failure;
};

template <class T>
concept FieldText = std::is_convertible_v<const T&, std::string_view>;

template <class T>
concept FieldWithStr = requires(const T& value) {
    { value.str() } -> std::convertible_to<std::string>;
};

template <class T>
inline constexpr bool kNoFieldValue = false;

/// Never throws for what @p value does: what it throws is the result.
template <class T>
LogValue valueOf(const T& value, FieldStorage& storage) {
    try {
        if constexpr (std::same_as<T, bool>) {
            return value;
        } else if constexpr (std::same_as<T, char>) {
            storage.text = value;
            return std::string_view(storage.text);
        } else if constexpr (std::signed_integral<T>) {
            return static_cast<std::int64_t>(value);
        } else if constexpr (std::unsigned_integral<T>) {
            return static_cast<std::uint64_t>(value);
        } else if constexpr (std::floating_point<T>) {
            return static_cast<double>(value);
        } else if constexpr (std::same_as<T, LogLevel>) {
            return logLevelName(value);
        } else if constexpr (std::is_pointer_v<T> && FieldText<T>) {
            return value != nullptr ? std::string_view(value) : std::string_view("(null)");
        } else if constexpr (FieldText<T>) {
            return std::string_view(value);
        } else if constexpr (std::same_as<T, Failure>) {
            return &value;
        } else if constexpr (FieldWithStr<T>) {
            storage.text = value.str();
            return std::string_view(storage.text);
        } else if constexpr (std::is_invocable_v<const T&>) {
            const auto result = value();
            using Result = std::remove_const_t<decltype(result)>;
            if constexpr (FieldText<Result> && !std::is_pointer_v<Result>) {
                storage.text = std::string_view(result);
                return std::string_view(storage.text);
            } else if constexpr (std::same_as<Result, Failure>) {
                return &storage.failure.emplace(result);
            } else {
                return valueOf(result, storage);
            }
        } else {
            static_assert(kNoFieldValue<T>,
                          "a field of a log event is a bool, number, text, LogLevel, Failure, something with str(), or "
                          "a callable that returns one of these");
        }
    } catch (...) {
        return &storage.failure.emplace(Failure::current());
    }
}

}  // namespace detail

}  // namespace torsion::logger
