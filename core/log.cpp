#include <torsion/core/log.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>

#include <fmt/format.h>

namespace torsion::log {

namespace {

struct Publisher {
    std::recursive_mutex mutex;  // recursive: an observer may log
    std::map<int, std::shared_ptr<Observer>> observers;
    int nextNumber = 1;
    std::FILE* stream = nullptr;
};

/// Never destroyed: a Deferred that dies with the process may still have something to report.
Publisher& publisher() {
    static Publisher& instance = *new Publisher;
    return instance;
}

void writeLine(std::FILE* stream, const Event& event) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    std::array<char, 40> stamp{};
    std::strftime(stamp.data(), stamp.size(), "%Y-%m-%d %H:%M:%S%z", &local);
    std::string text(event.text);
    if (event.failure != nullptr)
        text += fmt::format("\n{}: {}", event.failure->typeName(), event.failure->getErrorMessage());
    std::string line = fmt::format("{} [{}] ", stamp.data(), event.system);
    for (const char c : text) {
        line += c;
        if (c == '\n') line += '\t';
    }
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stream);
    std::fflush(stream);
}

void publish(const Event& event) {
    Publisher& p = publisher();
    const std::lock_guard lock(p.mutex);
    if (p.stream != nullptr) {
        writeLine(p.stream, event);
    } else if (event.level >= Level::error && p.observers.empty()) {
        writeLine(stderr, event);
    }
    const auto observers = p.observers;  // a copy: an observer may remove itself
    for (const auto& [number, observer] : observers) {
        try {
            (*observer)(event);
        } catch (...) {
            writeLine(stderr, {Level::error, "-", "A log observer threw", nullptr});
        }
    }
}

}  // namespace

void startLogging(std::FILE* stream) {
    {
        const std::lock_guard lock(publisher().mutex);
        publisher().stream = stream;
    }
    msg("Log opened.");
}

void stopLogging() {
    const std::lock_guard lock(publisher().mutex);
    publisher().stream = nullptr;
}

int addObserver(Observer observer) {
    const std::lock_guard lock(publisher().mutex);
    const int number = publisher().nextNumber++;
    publisher().observers.emplace(number, std::make_shared<Observer>(std::move(observer)));
    return number;
}

void removeObserver(int number) {
    const std::lock_guard lock(publisher().mutex);
    publisher().observers.erase(number);
}

void msg(std::string_view text, std::string_view system) { publish({Level::info, system, text, nullptr}); }

void warn(std::string_view text, std::string_view system) { publish({Level::warn, system, text, nullptr}); }

void err(const Failure& failure, std::string_view why, std::string_view system) {
    publish({Level::error, system, why, &failure});
}

void critical(const Failure& failure, std::string_view why) { publish({Level::critical, "-", why, &failure}); }

}  // namespace torsion::log
