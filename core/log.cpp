#include <torsion/core/log.hpp>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <torsion/core/log_beginner.hpp>
#include <torsion/core/log_file.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_lock.hpp>

namespace torsion::log {

namespace {

using logger::LogEvent;
using logger::LogObserver;
using logger::detail::LogGuard;
using logger::detail::logMutex;

struct State {
    std::map<int, LogObserver> observers;  // by the numbers that were given out
    int nextNumber = 1;
    std::optional<LogObserver> stream;  // that of startLogging
};

/// Never destroyed, as the publisher.
State& state() {
    static State& instance = *new State;
    return instance;
}

/// Hands an event to an observer of this namespace, as what such observers know (LegacyLogObserverWrapper).
class LegacyObserver {
public:
    explicit LegacyObserver(Observer observer) : observer_(std::move(observer)) {}

    void operator()(const LogEvent& event) {
        const std::string text = logger::formatEvent(event);
        observer_({event.level, event.system.empty() ? "-" : event.system, text, event.failure});
    }

private:
    Observer observer_;
};

void publish(Level level, std::string_view system, std::string_view text, const Failure* failure) {
    logger::LogPublisher& publisher = logger::globalLogPublisher();
    constexpr std::string_view kNamespace = "log_legacy";
    if (!publisher.enabled(level) || !publisher.wants(level, kNamespace)) return;
    const logger::LogField fields[] = {{"log_text", text}};
    LogEvent event;
    event.level = level;
    event.logNamespace = kNamespace;
    event.format = "{log_text}";
    event.time = std::chrono::system_clock::now();
    event.fields = fields;
    event.failure = failure;
    event.system = system;
    publisher(event);
}

}  // namespace

void startLogging(std::FILE* stream) {
    {
        const LogGuard guard(logMutex());
        stopLogging();
        state().stream = LogObserver(logger::FileLogObserver(stream, &logger::formatEventAsLegacyLogText));
        if (logger::globalLogBeginner().begun()) {
            logger::globalLogPublisher().addObserver(*state().stream);
        } else {
            logger::globalLogBeginner().beginLoggingTo({*state().stream}, true);
        }
    }
    msg("Log opened.");
}

void stopLogging() {
    const LogGuard guard(logMutex());
    if (!state().stream) return;
    logger::globalLogPublisher().removeObserver(*state().stream);
    state().stream.reset();
}

int addObserver(Observer observer) {
    const LogGuard guard(logMutex());
    const int number = state().nextNumber++;
    const auto legacy = std::make_shared<LegacyObserver>(std::move(observer));
    state().observers.emplace(number, logger::globalLogPublisher().addObserver(legacy));
    return number;
}

void removeObserver(int number) {
    const LogGuard guard(logMutex());
    const auto found = state().observers.find(number);
    if (found == state().observers.end()) return;
    logger::globalLogPublisher().removeObserver(found->second);
    state().observers.erase(found);
}

void msg(std::string_view text, std::string_view system) { publish(Level::info, system, text, nullptr); }

void warn(std::string_view text, std::string_view system) { publish(Level::warn, system, text, nullptr); }

void err(const Failure& failure, std::string_view why, std::string_view system) {
    publish(Level::error, system, why, &failure);
}

void critical(const Failure& failure, std::string_view why) { publish(Level::critical, "-", why, &failure); }

}  // namespace torsion::log
