#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/log_event.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion::logger {

namespace detail {

/// Beyond the gravest level: what wants nothing at all.
inline constexpr LogLevel kNoLevel{5};

}  // namespace detail

/// A counted handle of something that is called with events and returns an R. Two handles are equal if they share the
/// object. Calling an observer or a predicate is the publisher's business, which has its rules about threads.
template <class R>
class LogHandle {
public:
    /// Takes @p callable, a lambda mostly, into an object of its own.
    template <class F, class D = std::decay_t<F>>
        requires(!std::same_as<D, LogHandle> && std::is_invocable_r_v<R, D&, const LogEvent&> &&
                 std::constructible_from<D, F>)
    LogHandle(F&& callable) : LogHandle(std::make_shared<D>(std::forward<F>(callable))) {}

    /// Shares @p object. @throws TypeError if it is null
    template <class T>
        requires std::is_invocable_r_v<R, T&, const LogEvent&> LogHandle(std::shared_ptr<T> object)
            : object_(std::move(object)), table_(&kTable<T>) {
            if (!object_) throw TypeError("A log observer or predicate is a null pointer: hand over an object");
        }

        R operator()(const LogEvent& event) const { return table_->call(object_.get(), event); }

        /// The object, if it is a T; null otherwise.
        template <class T>
        T* as() const noexcept {
            return *table_->type == typeid(T) ? static_cast<T*>(object_.get()) : nullptr;
        }

        /// The readable name of the object's type.
        std::string typeName() const { return torsion::typeName(*table_->type); }

        /// The least level that the object may have a use for: what `lowestLevel()` of the object says, or `debug`.
        LogLevel lowestLevel() const { return table_->lowestLevel(object_.get()); }

        /// Whether it may have a use for such events: what `wants(level, namespace)` of the object says, or yes.
        bool wants(LogLevel level, std::string_view logNamespace) const {
            return table_->wants(object_.get(), level, logNamespace);
        }

        bool operator==(const LogHandle& other) const noexcept { return object_ == other.object_; }

    private:
        struct Table {
            R (*call)(void*, const LogEvent&);
            LogLevel (*lowestLevel)(const void*);
            bool (*wants)(const void*, LogLevel, std::string_view);
            const std::type_info* type;
        };

        template <class T>
        static LogLevel lowestLevelOf([[maybe_unused]] const void* object) {
            if constexpr (requires(const T& t) {
                              { t.lowestLevel() } -> std::same_as<LogLevel>;
                          }) {
                return static_cast<const T*>(object)->lowestLevel();
            } else {
                return LogLevel::debug;
            }
        }

        template <class T>
        static bool wantsOf([[maybe_unused]] const void* object, [[maybe_unused]] LogLevel level,
                            [[maybe_unused]] std::string_view logNamespace) {
            if constexpr (requires(const T& t) {
                              { t.wants(level, logNamespace) } -> std::same_as<bool>;
                          }) {
                return static_cast<const T*>(object)->wants(level, logNamespace);
            } else {
                return true;
            }
        }

        template <class T>
        static constexpr Table kTable{
            [](void* object, const LogEvent& event) -> R { return (*static_cast<T*>(object))(event); },
            &lowestLevelOf<T>, &wantsOf<T>, &typeid(T)};

        std::shared_ptr<void> object_;
        const Table* table_;
};

/// twisted.logger.ILogObserver: anything that can be called with a `const LogEvent&`, such as a lambda, a
/// FileLogObserver, or a shared pointer to an object of one's own. A publisher calls it in the thread that logs, never
/// in two threads at once; it should return soon, and should not throw.
using LogObserver = LogHandle<void>;

/// An observer that does nothing with the events that it sees.
inline void bitbucketLogObserver(const LogEvent&) {}

}  // namespace torsion::logger
