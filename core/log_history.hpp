#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/log_event.hpp>
#include <torsion/core/log_publisher.hpp>

namespace torsion::logger {

/// twisted.logger.LimitedHistoryLogObserver: keeps the latest events. Any thread may use it.
class LimitedHistoryLogObserver {
public:
    static constexpr std::size_t kDefaultSize = 64 * 1024;

    /// @param size how many events are kept at most
    explicit LimitedHistoryLogObserver(std::size_t size = kDefaultSize) : size_(size) {}

    void operator()(const LogEvent& event);

    /// Hands the events that are kept to @p otherObserver, the oldest first.
    void replayTo(const LogObserver& otherObserver) const;

private:
    std::size_t size_;
    std::deque<SavedLogEvent> events_;
};

/// Collects what a publisher gets, for tests: see capturedLogs.
class CapturedLogs {
public:
    explicit CapturedLogs(LogPublisher& publisher);
    ~CapturedLogs();
    CapturedLogs(const CapturedLogs&) = delete;
    CapturedLogs& operator=(const CapturedLogs&) = delete;

    /// The events up to now. Any thread may ask.
    std::vector<SavedLogEvent> events() const;

    /// Their texts (formatEvent).
    std::vector<std::string> texts() const;

private:
    LogPublisher& publisher_;
    std::shared_ptr<LimitedHistoryLogObserver> history_;
};

/// twisted.logger.capturedLogs: `auto logs = capturedLogs();` collects all that is logged while it lives, the latest
/// LimitedHistoryLogObserver::kDefaultSize events at most, and leaves the other observers alone.
inline CapturedLogs capturedLogs(LogPublisher& publisher = globalLogPublisher()) { return CapturedLogs(publisher); }

}  // namespace torsion::logger
