#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <torsion/core/function.hpp>
#include <torsion/core/log_event.hpp>
#include <torsion/core/log_format.hpp>

namespace torsion::logger {

/// twisted.logger.FileLogObserver: writes events to a stream, and flushes it after each.
class FileLogObserver {
public:
    using FormatEvent = Function<std::string(const LogEvent&)>;

    /// @param outFile stays the caller's, and open for as long as this is an observer
    /// @param formatEvent makes what is written of an event; of an empty text nothing is
    FileLogObserver(std::FILE* outFile, FormatEvent formatEvent);

    /// @throws std::system_error if not all could be written; the publisher reports that to the other observers
    void operator()(const LogEvent& event);

private:
    std::FILE* outFile_;
    FormatEvent formatEvent_;
};

/// Writes lines "2026-11-21T08:00:00+0000 [namespace#level] text" (formatEventAsClassicLogText).
/// @param timeFormat for strftime; empty for "-" in place of the time
FileLogObserver textFileLogObserver(std::FILE* outFile, std::string timeFormat = kTimeFormatRFC3339);

}  // namespace torsion::logger
