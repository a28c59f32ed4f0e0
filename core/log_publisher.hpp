#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <torsion/core/log_observer.hpp>

namespace torsion::logger {

namespace detail {
/// Has every publisher ask its observers anew which levels they want.
void refreshLogLevels();
}  // namespace detail

/// twisted.logger.LogPublisher: an observer that hands each event to other observers.
///
/// Every method may be called from any thread, and from inside an observer. One lock of the process makes observers be
/// called one at a time, in the thread that logs; when `removeObserver` has returned, the observer is not called any
/// more. An observer must not wait for another thread that logs.
class LogPublisher {
public:
    /// Events that are logged while an observer is called, by observers, nest no deeper than this: deeper ones are
    /// dropped, so that observers which log at each event they see come to an end. The same holds of publishers that
    /// observe each other in a circle; asked for levels they look no deeper than this, and want everything beyond.
    static constexpr unsigned kMaxNesting = 8;

    LogPublisher() : LogPublisher(std::vector<LogObserver>()) {}
    explicit LogPublisher(std::vector<LogObserver> observers);
    ~LogPublisher();
    LogPublisher(const LogPublisher&) = delete;
    LogPublisher& operator=(const LogPublisher&) = delete;

    /// Adds @p observer, unless it is there already. @return it, for removeObserver
    LogObserver addObserver(LogObserver observer);

    /// Removes @p observer; does nothing if it is not there.
    void removeObserver(const LogObserver& observer);

    /// How many observers there are.
    std::size_t observerCount() const;

    /// Hands @p event to the observers, in the order in which they were added. Those that throw are then reported to
    /// the others, as a critical event of the namespace "torsion.logger" with the failure, and stay; if none of the
    /// others wants that, a line goes to stderr.
    void operator()(const LogEvent& event);

    /// Whether any observer may want events of this level, in whatever namespace: one relaxed load and a comparison.
    bool enabled(LogLevel level) const noexcept { return level >= threshold_.load(std::memory_order_relaxed); }

    /// Whether any observer may want events of this level in this namespace.
    bool wants(LogLevel level, std::string_view logNamespace) const;

    /// The least level that any observer wants.
    LogLevel lowestLevel() const;

private:
    friend void detail::refreshLogLevels();
    using Observers = std::vector<LogObserver>;

    void publish(const LogEvent& event, const std::shared_ptr<const Observers>& observers);
    void replace(Observers observers);

    std::shared_ptr<const Observers> observers_;  // replaced, never changed: it may be walked through
    std::atomic<LogLevel> threshold_{detail::kNoLevel};
    unsigned nesting_ = 0;
};

/// The publisher that loggers use unless they are told otherwise. It lives as long as the process.
LogPublisher& globalLogPublisher();

}  // namespace torsion::logger
