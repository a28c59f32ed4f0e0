#pragma once

#include <cstdio>
#include <string>

#include <torsion/core/log_event.hpp>
#include <torsion/core/log_file.hpp>

namespace torsion::logger {

/// The event as one JSON object (RFC 8259) without line breaks, in UTF-8, with the keys of Twisted's eventAsJSON:
/// `log_namespace`, `log_level` ({"name": "info", ...}), `log_format`, `log_time` (seconds since 1970), `log_source`,
/// `log_system` and `log_failure` if there are any, then the fields by their names. Twisted's eventsFromJSONLogFile
/// reads it.
///
/// Octets that are no UTF-8 become U+FFFD; NaN and infinities become texts; of fields with the same name the first one
/// is written, and none with the name of a key above.
std::string eventAsJSON(const LogEvent& event);

/// Writes events as JSON, each as @p recordSeparator, object, newline (jsonFileLogObserver).
/// @param recordSeparator as in Twisted U+001E, which makes a JSON text sequence (RFC 7464); "" makes JSON lines
FileLogObserver jsonFileLogObserver(std::FILE* outFile, std::string recordSeparator = "\x1e");

}  // namespace torsion::logger
