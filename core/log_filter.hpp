#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/log_observer.hpp>

namespace torsion::logger {

/// What a predicate says of an event.
enum class PredicateResult {
    yes,   ///< log it, whatever later predicates would say
    no,    ///< do not log it
    maybe  ///< ask the next predicate; after the last one: log it
};

/// twisted.logger.ILogFilterPredicate: anything that can be called with a `const LogEvent&` and returns a
/// PredicateResult.
using LogFilterPredicate = LogHandle<PredicateResult>;

/// Whether @p event is to be logged: the first predicate that says yes or no decides, and without one it is.
bool shouldLogEvent(const std::vector<LogFilterPredicate>& predicates, const LogEvent& event);

/// twisted.logger.LogLevelFilterPredicate: says no to events below the level of their namespace, and to those without
/// a namespace; else maybe. The level of a namespace is its own, or that of the longest dotted prefix which has one,
/// or the default.
///
/// To change levels while the program runs, keep the shared pointer that the FilteringLogObserver got: any thread may
/// do so, and loggers heed the change at once.
class LogLevelFilterPredicate {
public:
    explicit LogLevelFilterPredicate(LogLevel defaultLogLevel = LogLevel::info);

    PredicateResult operator()(const LogEvent& event) const;

    /// The level of @p logNamespace; of "" the default.
    LogLevel logLevelForNamespace(std::string_view logNamespace) const;

    /// Sets the level of @p logNamespace and of all below it that have none of their own; of "" the default.
    void setLogLevelForNamespace(std::string_view logNamespace, LogLevel level);

    /// Forgets all levels but the default that was given at first.
    void clearLogLevels();

    /// The least of the levels.
    LogLevel lowestLevel() const;

private:
    LogLevel defaultLogLevel_;
    std::map<std::string, LogLevel, std::less<>> levels_;  // that of "" is always there
};

/// twisted.logger.FilteringLogObserver: hands on the events that its predicates let through.
///
/// If level predicates come first, a logger whose level none of them lets through does not even make the event.
class FilteringLogObserver {
public:
    /// @param negativeObserver gets the other events
    FilteringLogObserver(LogObserver observer, std::vector<LogFilterPredicate> predicates);
    FilteringLogObserver(LogObserver observer, std::vector<LogFilterPredicate> predicates,
                         LogObserver negativeObserver);

    void operator()(const LogEvent& event) const;

    LogLevel lowestLevel() const;
    bool wants(LogLevel level, std::string_view logNamespace) const;

private:
    LogObserver observer_;
    std::vector<LogFilterPredicate> predicates_;
    std::vector<const LogLevelFilterPredicate*> leading_;  // of predicates_: those before any of another kind
    std::vector<LogObserver> negative_;                    // one or none
};

}  // namespace torsion::logger
