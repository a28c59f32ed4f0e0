#include <torsion/core/log_level.hpp>

#include <array>
#include <cstddef>
#include <string>

namespace torsion::logger {

namespace {

constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warn", "error", "critical"};

}  // namespace

std::string_view logLevelName(LogLevel level) noexcept {
    const auto index = static_cast<std::size_t>(level);
    return index < kNames.size() ? kNames[index] : "-";
}

LogLevel logLevelWithName(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<LogLevel>(i);
    }
    throw InvalidLogLevelError("'" + std::string(name) + "' is no log level: use debug, info, warn, error or critical");
}

}  // namespace torsion::logger
