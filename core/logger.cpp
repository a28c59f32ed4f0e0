#include <torsion/core/logger.hpp>

#include <chrono>
#include <exception>

namespace torsion::logger {

void Logger::send(LogLevel level, std::string_view format, const Failure* failure,
                  std::span<const LogField> fields) const {
    LogEvent event;
    event.level = level;
    event.logNamespace = namespace_;
    event.format = format;
    event.time = std::chrono::system_clock::now();
    event.fields = fields;
    event.failure = failure;
    event.source = source_;
    (*publisher_)(event);
}

Failure Logger::inFlight() {
    if (std::current_exception()) return Failure::current();
    return RuntimeError("Logger::failure was called without a failure, and no exception is being handled");
}

}  // namespace torsion::logger
