#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/logger.h>

#include <torsion/core/error.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_observer.hpp>

namespace torsion::logger {

/// Hands events to a logger of spdlog (the part that STDLibLogObserver plays in Python): for its sinks, rotation and
/// threads of its own. The library does not use spdlog; a program that includes this header does.
///
/// The text is "[namespace] text", and the failure on a line of its own; level and time are the event's.
class SpdlogObserver {
public:
    /// @throws TypeError if @p spdlogger is null
    explicit SpdlogObserver(std::shared_ptr<spdlog::logger> spdlogger) : spdlogger_(std::move(spdlogger)) {
        if (!spdlogger_) throw TypeError("SpdlogObserver needs a logger of spdlog: the pointer is null");
    }

    void operator()(const LogEvent& event) const {
        if (!spdlogger_->should_log(levelOf(event.level))) return;
        EventTextParts parts;
        parts.includeTimestamp = parts.includeSystem = false;
        const std::string text = eventAsText(event, parts);
        if (text.empty()) return;
        const std::string_view system = event.system.empty() ? event.logNamespace : event.system;
        const std::string line = '[' + std::string(system) + "] " + text;
        spdlogger_->log(event.time, spdlog::source_loc{}, levelOf(event.level), spdlog::string_view_t(line));
    }

    /// As the logger's level is now: what it does not want is not made.
    bool wants(LogLevel level, std::string_view) const { return spdlogger_->should_log(levelOf(level)); }

private:
    static spdlog::level::level_enum levelOf(LogLevel level) {
        switch (level) {
            case LogLevel::debug: return spdlog::level::debug;
            case LogLevel::info: return spdlog::level::info;
            case LogLevel::warn: return spdlog::level::warn;
            case LogLevel::error: return spdlog::level::err;
            case LogLevel::critical: return spdlog::level::critical;
        }
        return spdlog::level::off;
    }

    std::shared_ptr<spdlog::logger> spdlogger_;
};

}  // namespace torsion::logger
