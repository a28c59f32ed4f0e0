#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include <torsion/core/log_publisher.hpp>

namespace torsion::logger {

/// twisted.logger.LogBeginner: the time before a program has said where its log goes.
///
/// Until `beginLoggingTo` the latest events are kept, to be handed on then. While the publisher has no observer of the
/// program's, then or later, events from `error` up go to a stream, so that no error is silent: whoever wants silence
/// adds bitbucketLogObserver. Any thread may use it.
class LogBeginner {
public:
    /// How many early events are kept.
    static constexpr std::size_t kDefaultBufferSize = 200;

    /// @param publisher outlives this
    /// @param errorStream stays the caller's, and outlives this
    LogBeginner(LogPublisher& publisher, std::FILE* errorStream, std::size_t initialBufferSize = kDefaultBufferSize);
    ~LogBeginner();
    LogBeginner(const LogBeginner&) = delete;
    LogBeginner& operator=(const LogBeginner&) = delete;

    /// Adds @p observers to the publisher, and hands them what was kept. To be called once: a second call adds its
    /// observers, too, and then warns.
    /// @param discardBuffer forgets what was kept instead
    void beginLoggingTo(const std::vector<LogObserver>& observers, bool discardBuffer = false);

    /// Whether beginLoggingTo was called.
    bool begun() const;

private:
    class EarlyObserver;

    LogPublisher& publisher_;
    std::shared_ptr<EarlyObserver> early_;
};

/// The beginner of the globalLogPublisher; its stream is stderr.
LogBeginner& globalLogBeginner();

namespace detail {

struct GlobalLogging {
    LogPublisher publisher;
    LogBeginner beginner{publisher, stderr};
};
GlobalLogging& globalLogging();

}  // namespace detail

}  // namespace torsion::logger
