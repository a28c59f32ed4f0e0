#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <torsion/core/failure.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/log_level.hpp>

/// twisted.python.log: lines of text, a thin front of the logger (logger.hpp). What is logged here are events of
/// logger::globalLogPublisher(), and observers that are added here hear of all events there.
/// Every function here may be called from any thread.
namespace torsion::log {

using Level = logger::LogLevel;

/// One thing that was logged.
struct Event {
    Level level;
    std::string_view system;  ///< who speaks, "-" if nobody in particular
    std::string_view text;
    const Failure* failure;  ///< null unless a failure is reported
};

using Observer = Function<void(const Event&)>;

/// Writes every later event to @p stream as "YYYY-MM-DD HH:MM:SS+ZZZZ [system] text", starting with "Log opened.".
/// What was logged before and kept for logger::globalLogBeginner() is dropped.
/// The stream stays the caller's. Unlike Twisted's, stdout and stderr are left alone.
void startLogging(std::FILE* stream);

/// Stops writing to the stream of startLogging.
void stopLogging();

/// Adds an observer. @return a number for removeObserver
int addObserver(Observer observer);
void removeObserver(int number);

/// Logs @p text. While nobody listens, errors and worse go to stderr and the rest nowhere.
void msg(std::string_view text, std::string_view system = "-");
void warn(std::string_view text, std::string_view system = "-");

/// Reports @p failure, with what was being done when it came up.
void err(const Failure& failure, std::string_view why = "Unhandled Error", std::string_view system = "-");

/// Reports a failure that nobody will ever handle.
void critical(const Failure& failure, std::string_view why);

}  // namespace torsion::log
