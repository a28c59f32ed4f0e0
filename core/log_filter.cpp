#include <torsion/core/log_filter.hpp>

#include <algorithm>
#include <utility>

#include <torsion/core/log_lock.hpp>
#include <torsion/core/log_publisher.hpp>

namespace torsion::logger {

using detail::LogGuard;
using detail::logMutex;

bool shouldLogEvent(const std::vector<LogFilterPredicate>& predicates, const LogEvent& event) {
    for (const LogFilterPredicate& predicate : predicates) {
        const PredicateResult result = predicate(event);
        if (result != PredicateResult::maybe) return result == PredicateResult::yes;
    }
    return true;
}

LogLevelFilterPredicate::LogLevelFilterPredicate(LogLevel defaultLogLevel)
    : defaultLogLevel_(defaultLogLevel), levels_{{"", defaultLogLevel}} {}

PredicateResult LogLevelFilterPredicate::operator()(const LogEvent& event) const {
    if (event.logNamespace.empty()) return PredicateResult::no;
    return event.level < logLevelForNamespace(event.logNamespace) ? PredicateResult::no : PredicateResult::maybe;
}

LogLevel LogLevelFilterPredicate::logLevelForNamespace(std::string_view logNamespace) const {
    const LogGuard guard(logMutex());
    for (;;) {
        if (const auto found = levels_.find(logNamespace); found != levels_.end()) return found->second;
        const std::size_t dot = logNamespace.rfind('.');
        logNamespace = logNamespace.substr(0, dot == std::string_view::npos ? 0 : dot);
    }
}

void LogLevelFilterPredicate::setLogLevelForNamespace(std::string_view logNamespace, LogLevel level) {
    const LogGuard guard(logMutex());
    levels_.insert_or_assign(std::string(logNamespace), level);
    detail::refreshLogLevels();
}

void LogLevelFilterPredicate::clearLogLevels() {
    const LogGuard guard(logMutex());
    levels_.clear();
    levels_.emplace("", defaultLogLevel_);
    detail::refreshLogLevels();
}

LogLevel LogLevelFilterPredicate::lowestLevel() const {
    const LogGuard guard(logMutex());
    LogLevel lowest = detail::kNoLevel;
    for (const auto& [name, level] : levels_) lowest = std::min(lowest, level);
    return lowest;
}

FilteringLogObserver::FilteringLogObserver(LogObserver observer, std::vector<LogFilterPredicate> predicates)
    : observer_(std::move(observer)), predicates_(std::move(predicates)) {
    for (const LogFilterPredicate& predicate : predicates_) {
        const auto* levels = predicate.as<LogLevelFilterPredicate>();
        if (levels == nullptr) break;  // it may say yes, and no later one is asked then
        leading_.push_back(levels);
    }
}

FilteringLogObserver::FilteringLogObserver(LogObserver observer, std::vector<LogFilterPredicate> predicates,
                                           LogObserver negativeObserver)
    : FilteringLogObserver(std::move(observer), std::move(predicates)) {
    negative_.push_back(std::move(negativeObserver));
}

void FilteringLogObserver::operator()(const LogEvent& event) const {
    if (shouldLogEvent(predicates_, event)) {
        observer_(event);
    } else if (!negative_.empty()) {
        negative_.front()(event);
    }
}

LogLevel FilteringLogObserver::lowestLevel() const {
    if (!negative_.empty()) return LogLevel::debug;
    LogLevel lowest = observer_.lowestLevel();
    for (const LogLevelFilterPredicate* levels : leading_) lowest = std::max(lowest, levels->lowestLevel());
    return lowest;
}

bool FilteringLogObserver::wants(LogLevel level, std::string_view logNamespace) const {
    if (!negative_.empty()) return true;
    const bool passes = std::all_of(leading_.begin(), leading_.end(), [&](const LogLevelFilterPredicate* levels) {
        return !logNamespace.empty() && level >= levels->logLevelForNamespace(logNamespace);
    });
    return passes && observer_.wants(level, logNamespace);
}

}  // namespace torsion::logger
