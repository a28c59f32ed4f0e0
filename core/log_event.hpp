#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include <torsion/core/failure.hpp>
#include <torsion/core/log_level.hpp>

namespace torsion::logger {

/// What a field of an event may be. Texts and failures belong to whoever made the event.
using LogValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, const Failure*>;

/// A named value of an event.
struct LogField {
    std::string_view name;
    LogValue value;
};

/// One thing that was logged: the dictionary of twisted.logger, whose keys `log_...` are members here and whose other
/// keys are fields. It is a bundle of views that costs no memory, and is valid while an observer is called with it; a
/// SavedLogEvent keeps it for longer. Text is made of it only by whoever wants text (formatEvent).
struct LogEvent {
    LogLevel level = LogLevel::info;
    std::string_view logNamespace;               ///< dotted, such as "shop.orders"
    std::string_view format;                     ///< for fmt, with the fields by name: "{user} came in"
    std::chrono::system_clock::time_point time;  ///< when it was logged
    std::span<const LogField> fields;
    const Failure* failure = nullptr;  ///< null unless a failure is reported
    std::string_view source;           ///< the object that speaks, or empty
    std::string_view system;           ///< shown in place of namespace and level (log_system), or empty

    /// A field's value, or null. @param name without braces
    const LogValue* find(std::string_view name) const noexcept;
};

/// An event of one's own, for later: a copy of all that a LogEvent refers to. Copies share it; any thread may read it.
class SavedLogEvent {
public:
    explicit SavedLogEvent(const LogEvent& event);

    const LogEvent& operator*() const noexcept { return *event_; }
    const LogEvent* operator->() const noexcept { return event_.get(); }

private:
    struct Storage;
    std::shared_ptr<const LogEvent> event_;
};

}  // namespace torsion::logger
