#pragma once

#include <chrono>
#include <string>

#include <torsion/core/log_event.hpp>

namespace torsion::logger {

/// timeFormatRFC3339: "2026-11-21T08:00:00+0000", in local time.
inline constexpr const char* kTimeFormatRFC3339 = "%Y-%m-%dT%H:%M:%S%z";

/// A time in local time, by a format of strftime (formatTime). @param timeFormat null for "-"
std::string formatTime(std::chrono::system_clock::time_point when, const char* timeFormat = kTimeFormatRFC3339);

/// The event as text: its format, into which fmt puts the fields by their names (or in their order, for `{}`). Known
/// besides them are `log_level`, `log_namespace`, `log_source`, `log_system`, `log_time` (seconds since 1970) and
/// `log_failure`; a field of such a name is shown in place of the event's own. A failure reads "[Failure instance:
/// type: message]".
///
/// Never throws for a wrong format: the text then is "Unable to format event", all that the event has, and why.
/// Octets of the fields are taken over as they are.
std::string formatEvent(const LogEvent& event);

/// What eventAsText puts beside the text.
struct EventTextParts {
    bool includeTraceback = true;  ///< a second line "type: message", if there is a failure: C++ has no traceback
    bool includeTimestamp = true;
    bool includeSystem = true;
    const char* timeFormat = kTimeFormatRFC3339;
};

/// "time [system] text", and the failure on a line of its own. The system is the event's, or else
/// "namespace#level". Empty if the event has neither text nor failure.
std::string eventAsText(const LogEvent& event, const EventTextParts& parts = EventTextParts());

/// eventAsText as a line of a file: ends with a newline, and lines of the text after the first begin with a tab. Other
/// control characters than newline and tab (octets below 0x20) read "\x0d". So no text can pass for another event, in
/// a file or on a terminal. Empty if there is nothing to say.
std::string formatEventAsClassicLogText(const LogEvent& event, const char* timeFormat = kTimeFormatRFC3339);

/// The line of twisted.python.log.FileLogObserver: "YYYY-MM-DD HH:MM:SS+ZZZZ [system] text", where the system is "-"
/// unless the event names one.
std::string formatEventAsLegacyLogText(const LogEvent& event);

}  // namespace torsion::logger
