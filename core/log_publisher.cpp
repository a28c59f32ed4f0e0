#include <torsion/core/log_publisher.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <torsion/core/log_beginner.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_lock.hpp>

namespace torsion::logger {

using detail::LogGuard;
using detail::logMutex;

namespace {

/// All publishers that live, to be told when a level changes.
std::vector<LogPublisher*>& publishers() {
    static std::vector<LogPublisher*>& all = *new std::vector<LogPublisher*>;
    return all;
}

/// How many publishers ask each other right now, of which each waits for the next one's answer. Under the lock.
unsigned asking = 0;

/// Counts one of them while it lives.
class Asking {
public:
    Asking() noexcept { ++asking; }
    ~Asking() { --asking; }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

    /// Whether this looks like a circle: then what takes in too much is the safe answer.
    bool tooDeep() const noexcept { return asking > LogPublisher::kMaxNesting; }
};

}  // namespace

void detail::refreshLogLevels() {
    const LogGuard guard(logMutex());
    for (LogPublisher* publisher : publishers())
        publisher->threshold_.store(publisher->lowestLevel(), std::memory_order_relaxed);
}

LogPublisher::LogPublisher(std::vector<LogObserver> observers)
    : observers_(std::make_shared<const Observers>(std::move(observers))) {
    const LogGuard guard(logMutex());
    publishers().push_back(this);
    detail::refreshLogLevels();
}

LogPublisher::~LogPublisher() {
    const LogGuard guard(logMutex());
    std::erase(publishers(), this);
}

void LogPublisher::replace(Observers observers) {
    const auto old = std::exchange(observers_, std::make_shared<const Observers>(std::move(observers)));
    detail::refreshLogLevels();
}

LogObserver LogPublisher::addObserver(LogObserver observer) {
    const LogGuard guard(logMutex());
    if (std::find(observers_->begin(), observers_->end(), observer) == observers_->end()) {
        Observers observers = *observers_;
        observers.push_back(observer);
        replace(std::move(observers));
    }
    return observer;
}

void LogPublisher::removeObserver(const LogObserver& observer) {
    const LogGuard guard(logMutex());
    const auto found = std::find(observers_->begin(), observers_->end(), observer);
    if (found == observers_->end()) return;
    Observers observers(observers_->begin(), found);
    observers.insert(observers.end(), found + 1, observers_->end());
    replace(std::move(observers));
}

std::size_t LogPublisher::observerCount() const {
    const LogGuard guard(logMutex());
    return observers_->size();
}

bool LogPublisher::wants(LogLevel level, std::string_view logNamespace) const {
    const LogGuard guard(logMutex());
    const Asking depth;
    if (depth.tooDeep()) return true;
    return std::any_of(observers_->begin(), observers_->end(),
                       [&](const LogObserver& observer) { return observer.wants(level, logNamespace); });
}

LogLevel LogPublisher::lowestLevel() const {
    const LogGuard guard(logMutex());
    const Asking depth;
    if (depth.tooDeep()) return LogLevel::debug;
    LogLevel lowest = detail::kNoLevel;
    for (const LogObserver& observer : *observers_) lowest = std::min(lowest, observer.lowestLevel());
    return lowest;
}

void LogPublisher::operator()(const LogEvent& event) {
    const LogGuard guard(logMutex());
    publish(event, observers_);
}

void LogPublisher::publish(const LogEvent& event, const std::shared_ptr<const Observers>& observers) {
    if (nesting_ >= kMaxNesting) return;
    const std::shared_ptr<const Observers> before = observers_;
    std::vector<std::pair<LogObserver, Failure>> broken;
    for (const LogObserver& observer : *observers) {
        // An observer may remove one whose turn has not come, and then end the life of what that one uses.
        const bool stays =
            observers_ == before || std::find(observers_->begin(), observers_->end(), observer) != observers_->end();
        if (!stays) continue;
        ++nesting_;
        try {
            observer(event);
            --nesting_;
        } catch (...) {
            --nesting_;
            broken.emplace_back(observer, Failure::current());
        }
    }
    for (const auto& [observer, failure] : broken) {
        const std::string name = observer.typeName();
        const LogField fields[] = {{"observer", std::string_view(name)}};
        LogEvent report;
        report.level = LogLevel::critical;
        report.logNamespace = "torsion.logger";
        report.format = "Passing over observer {observer} for this report due to its exception: {log_failure}";
        report.time = std::chrono::system_clock::now();
        report.fields = fields;
        report.failure = &failure;

        Observers others;
        bool wanted = false;
        for (const LogObserver& other : *observers) {
            const bool stays = std::find(observers_->begin(), observers_->end(), other) != observers_->end();
            if (!stays || other == observer) continue;
            others.push_back(other);
            wanted = wanted || other.wants(report.level, report.logNamespace);
        }
        if (!wanted) {
            const std::string line = formatEventAsLegacyLogText(report);
            std::fwrite(line.data(), 1, line.size(), stderr);
        } else {
            publish(report, std::make_shared<const Observers>(std::move(others)));
        }
    }
}

LogPublisher& globalLogPublisher() {
    // Never destroyed: a Deferred that dies with the process may still have something to report. Made along with its
    // beginner, which keeps what is logged before somebody listens.
    return detail::globalLogging().publisher;
}

}  // namespace torsion::logger
