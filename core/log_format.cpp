#include <torsion/core/log_format.hpp>

#include <array>
#include <cstddef>
#include <ctime>
#include <exception>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/args.h>
#include <fmt/format.h>

namespace torsion::logger {

namespace {

using Arguments = fmt::dynamic_format_arg_store<fmt::format_context>;

void add(Arguments& arguments, std::string_view name, const LogValue& value) {
    const std::string terminated(name);
    std::visit(
        [&](const auto& v) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, const Failure*>) {
                arguments.push_back(fmt::arg(terminated.c_str(), v->str()));
            } else {
                arguments.push_back(fmt::arg(terminated.c_str(), v));
            }
        },
        value);
}

/// The keys of the event itself, but those that a field has.
void addStandard(Arguments& arguments, const LogEvent& event) {
    const auto addUnlessField = [&](std::string_view name, const LogValue& value) {
        if (event.find(name) == nullptr) add(arguments, name, value);
    };
    addUnlessField("log_level", logLevelName(event.level));
    addUnlessField("log_namespace", event.logNamespace);
    addUnlessField("log_source", event.source);
    addUnlessField("log_system", event.system);
    addUnlessField("log_time", std::chrono::duration<double>(event.time.time_since_epoch()).count());
    if (event.failure != nullptr) addUnlessField("log_failure", event.failure);
}

/// All that an event has, for one that cannot be shown as it should.
std::string describe(const LogEvent& event) {
    std::string text = fmt::format("log_level: {}, log_namespace: '{}', log_format: '{}'", logLevelName(event.level),
                                   event.logNamespace, event.format);
    for (const LogField& field : event.fields) {
        text += fmt::format(", {}: ", field.name);
        std::visit(
            [&](const auto& v) {
                if constexpr (std::is_same_v<std::decay_t<decltype(v)>, const Failure*>) {
                    text += v->str();
                } else if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>) {
                    text += fmt::format("'{}'", v);
                } else {
                    text += fmt::format("{}", v);
                }
            },
            field.value);
    }
    return text;
}

std::string asLine(std::string_view text) {
    if (text.empty()) return "";
    std::string line;
    line.reserve(text.size() + 8);
    for (const char c : text) {
        if (c == '\n') {
            line += "\n\t";
        } else if (static_cast<unsigned char>(c) < 0x20 && c != '\t') {
            fmt::format_to(std::back_inserter(line), "\\x{:02x}", static_cast<unsigned>(c));
        } else {
            line += c;
        }
    }
    line += '\n';
    return line;
}

std::string systemOf(const LogEvent& event) {
    if (!event.system.empty()) return std::string(event.system);
    return fmt::format("{}#{}", event.logNamespace.empty() ? "-" : event.logNamespace, logLevelName(event.level));
}

}  // namespace

std::string formatTime(std::chrono::system_clock::time_point when, const char* timeFormat) {
    if (timeFormat == nullptr) return "-";
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(when));
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 200> text{};
    return std::string(text.data(), std::strftime(text.data(), text.size(), timeFormat, &local));
}

std::string formatEvent(const LogEvent& event) {
    // What the functions of `log` write is text already.
    if (event.format == "{log_text}" && event.fields.size() == 1) {
        if (const auto* text = std::get_if<std::string_view>(&event.fields.front().value);
            text != nullptr && event.fields.front().name == "log_text")
            return std::string(*text);
    }
    if (event.format.find_first_of("{}") == std::string_view::npos) return std::string(event.format);
    try {
        Arguments arguments;
        // The fields come first: for `{}` fmt counts all arguments, those with names, too.
        for (const LogField& field : event.fields) add(arguments, field.name, field.value);
        if (event.format.find("{log_") != std::string_view::npos) addStandard(arguments, event);
        return fmt::vformat(event.format, arguments);
    } catch (const std::exception& error) {
        return fmt::format("Unable to format event {{{}}}: {}", describe(event), error.what());
    }
}

std::string eventAsText(const LogEvent& event, const EventTextParts& parts) {
    std::string text = formatEvent(event);
    if (parts.includeTraceback && event.failure != nullptr)
        text += fmt::format("\n{}: {}", event.failure->typeName(), event.failure->getErrorMessage());
    if (text.empty()) return text;
    std::string before;
    if (parts.includeTimestamp) before = formatTime(event.time, parts.timeFormat) + ' ';
    if (parts.includeSystem) before += '[' + systemOf(event) + "] ";
    return before + text;
}

std::string formatEventAsClassicLogText(const LogEvent& event, const char* timeFormat) {
    EventTextParts parts;
    parts.timeFormat = timeFormat;
    return asLine(eventAsText(event, parts));
}

std::string formatEventAsLegacyLogText(const LogEvent& event) {
    LogEvent legacy = event;
    if (legacy.system.empty()) legacy.system = "-";
    return formatEventAsClassicLogText(legacy, "%Y-%m-%d %H:%M:%S%z");
}

}  // namespace torsion::logger
