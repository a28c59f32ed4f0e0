#pragma once

#include <string_view>

#include <torsion/core/error.hpp>

namespace torsion::logger {

/// twisted.logger.LogLevel: for whom an event is. Later ones are graver, and compare greater.
enum class LogLevel : unsigned char {
    debug,    ///< of use to a developer
    info,     ///< routine
    warn,     ///< needs attention, and is no failure of the system: bad data from a peer, a wrong password
    error,    ///< a failure of the system, such as a database out of reach
    critical  ///< what nobody foresaw or will handle, unhandled exceptions among it
};

/// There is no such level (twisted.logger.InvalidLogLevelError).
class InvalidLogLevelError : public ValueError {
public:
    using ValueError::ValueError;
};

/// "debug", "info", "warn", "error" or "critical" (LogLevel.name).
std::string_view logLevelName(LogLevel level) noexcept;

/// LogLevel.levelWithName, for options and files of settings.
/// @throws InvalidLogLevelError that lists the names if @p name is none of them
LogLevel logLevelWithName(std::string_view name);

}  // namespace torsion::logger
