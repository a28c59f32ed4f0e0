#include <torsion/core/log_history.hpp>

#include <torsion/core/log_format.hpp>
#include <torsion/core/log_lock.hpp>

namespace torsion::logger {

using detail::LogGuard;
using detail::logMutex;

void LimitedHistoryLogObserver::operator()(const LogEvent& event) {
    const LogGuard guard(logMutex());
    if (size_ == 0) return;
    if (events_.size() >= size_) events_.pop_front();
    events_.emplace_back(event);
}

void LimitedHistoryLogObserver::replayTo(const LogObserver& otherObserver) const {
    const LogGuard guard(logMutex());
    const std::deque<SavedLogEvent> events = events_;  // a copy: what the observer logs may come here
    for (const SavedLogEvent& event : events) otherObserver(*event);
}

CapturedLogs::CapturedLogs(LogPublisher& publisher)
    : publisher_(publisher), history_(std::make_shared<LimitedHistoryLogObserver>()) {
    publisher_.addObserver(history_);
}

CapturedLogs::~CapturedLogs() { publisher_.removeObserver(history_); }

std::vector<SavedLogEvent> CapturedLogs::events() const {
    std::vector<SavedLogEvent> events;
    history_->replayTo([&](const LogEvent& event) { events.emplace_back(event); });
    return events;
}

std::vector<std::string> CapturedLogs::texts() const {
    std::vector<std::string> texts;
    history_->replayTo([&](const LogEvent& event) { texts.push_back(formatEvent(event)); });
    return texts;
}

}  // namespace torsion::logger
