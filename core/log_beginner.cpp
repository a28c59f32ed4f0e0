#include <torsion/core/log_beginner.hpp>

#include <optional>
#include <string>
#include <utility>

#include <torsion/core/log_format.hpp>
#include <torsion/core/log_history.hpp>
#include <torsion/core/log_lock.hpp>
#include <torsion/core/logger.hpp>

namespace torsion::logger {

using detail::LogGuard;
using detail::logMutex;

/// Always among the publisher's observers. Keeps events until logging begins; speaks up for errors while it is alone.
class LogBeginner::EarlyObserver {
public:
    EarlyObserver(const LogPublisher& publisher, std::FILE* errorStream, std::size_t size)
        : publisher_(publisher), errorStream_(errorStream), buffer_(std::in_place, size) {}

    void operator()(const LogEvent& event) {
        if (buffer_) (*buffer_)(event);
        if (event.level < LogLevel::error || !alone()) return;
        const std::string line = formatEventAsLegacyLogText(event);
        std::fwrite(line.data(), 1, line.size(), errorStream_);
        std::fflush(errorStream_);
    }

    LogLevel lowestLevel() const {
        if (buffer_) return LogLevel::debug;
        return alone() ? LogLevel::error : detail::kNoLevel;
    }
    bool wants(LogLevel level, std::string_view) const { return level >= lowestLevel(); }

    bool begun() const { return !buffer_; }

    /// Gives up what was kept, and keeps no more.
    LimitedHistoryLogObserver begin() {
        LimitedHistoryLogObserver kept = std::move(*buffer_);
        buffer_.reset();
        return kept;
    }

private:
    bool alone() const { return publisher_.observerCount() <= 1; }

    const LogPublisher& publisher_;
    std::FILE* errorStream_;
    std::optional<LimitedHistoryLogObserver> buffer_;
};

LogBeginner::LogBeginner(LogPublisher& publisher, std::FILE* errorStream, std::size_t initialBufferSize)
    : publisher_(publisher), early_(std::make_shared<EarlyObserver>(publisher, errorStream, initialBufferSize)) {
    publisher_.addObserver(early_);
}

LogBeginner::~LogBeginner() { publisher_.removeObserver(early_); }

bool LogBeginner::begun() const {
    const LogGuard guard(logMutex());
    return early_->begun();
}

void LogBeginner::beginLoggingTo(const std::vector<LogObserver>& observers, bool discardBuffer) {
    const LogGuard guard(logMutex());
    const bool again = early_->begun();
    for (const LogObserver& observer : observers) publisher_.addObserver(observer);
    if (again) {
        Logger("torsion.logger", "", publisher_)
            .warn("Warning: primary log target selected twice. Remove one of the calls of beginLoggingTo.");
        return;
    }
    const LimitedHistoryLogObserver kept = early_->begin();
    detail::refreshLogLevels();
    if (!discardBuffer && !observers.empty()) kept.replayTo([this](const LogEvent& event) { publisher_(event); });
}

LogBeginner& globalLogBeginner() { return detail::globalLogging().beginner; }

detail::GlobalLogging& detail::globalLogging() {
    static GlobalLogging& instance = *new GlobalLogging;
    return instance;
}

}  // namespace torsion::logger
