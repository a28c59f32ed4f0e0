#include <torsion/testing/logged_errors.hpp>

#include <algorithm>
#include <atomic>

#include <torsion/core/error.hpp>

namespace torsion::testing {

namespace {

std::atomic<LoggedErrors*> newest{nullptr};

}  // namespace

LoggedErrors::LoggedErrors() : previous_(newest.exchange(this)) {
    observer_ = log::addObserver([this](const log::Event& event) {
        if (event.level < log::Level::error || current() != this) return;
        const Failure failure = event.failure != nullptr ? *event.failure : Failure(Error(std::string(event.text)));
        const std::lock_guard lock(mutex_);
        entries_.push_back({failure, std::string(event.text), event.level == log::Level::critical});
    });
}

LoggedErrors::~LoggedErrors() {
    log::removeObserver(observer_);
    newest = previous_;
}

LoggedErrors* LoggedErrors::current() noexcept { return newest; }

std::vector<LoggedErrors::Entry> LoggedErrors::entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
}

std::size_t LoggedErrors::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::string LoggedErrors::text() const {
    std::string text;
    for (const Entry& entry : entries()) {
        text += (text.empty() ? "  " : "\n  ") + entry.why + ": " + entry.failure.typeName() + ": " +
                entry.failure.getErrorMessage();
    }
    return text;
}

std::vector<Failure> LoggedErrors::take(bool (*wanted)(const Failure&)) {
    const std::lock_guard lock(mutex_);
    std::vector<Failure> taken;
    std::vector<Entry> left;
    for (const Entry& entry : entries_) {
        if (wanted(entry.failure)) {
            taken.push_back(entry.failure);
        } else {
            left.push_back(entry);
        }
    }
    entries_.swap(left);
    return taken;
}

LoggedErrors& detail::currentLoggedErrors() {
    LoggedErrors* const errors = LoggedErrors::current();
    if (errors == nullptr) {
        throw RuntimeError(
            "flushLoggedErrors: nothing catches logged errors here; call it from inside runAsync() or TORSION_TEST, or "
            "make a LoggedErrors first");
    }
    return *errors;
}

}  // namespace torsion::testing
