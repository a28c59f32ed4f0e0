#include <torsion/core/log_json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace torsion::logger {

namespace {

// How Twisted marks the objects that stand for its own classes.
constexpr std::string_view kLevelClass = "02e59486-f24d-46ad-8224-3acdf2a5732a";
constexpr std::string_view kFailureClass = "e76887e2-20ed-49bf-a8f8-ba25cc586f2d";

constexpr std::array<std::string_view, 7> kStandardKeys{"log_namespace", "log_level",  "log_format", "log_time",
                                                        "log_source",    "log_system", "log_failure"};

/// How many octets the character has that @p text begins with; 0 if it is no UTF-8 (RFC 3629, table of section 4).
std::size_t characterLength(std::string_view text) {
    const auto octet = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto continues = [&](std::size_t i) { return (octet(i) & 0xc0U) == 0x80; };
    const unsigned first = octet(0);
    const unsigned second = octet(1);
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;
    if (first < 0xe0) return continues(1) ? 2 : 0;
    if (first < 0xf0) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;  // too long; a surrogate
        return continues(1) && continues(2) ? 3 : 0;
    }
    if (first > 0xf4 || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
}

void putText(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = characterLength(text);
        if (length == 0) {
            out += "\\ufffd";
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out += '"';
}

void putKey(std::string& out, std::string_view key) {
    if (out.back() != '{') out += ", ";
    putText(out, key);
    out += ": ";
}

void putMember(std::string& out, std::string_view key, std::string_view text) {
    putKey(out, key);
    putText(out, text);
}

/// Such that Twisted's Failure can be made of it.
void putFailure(std::string& out, const Failure& failure) {
    const std::string name = failure.typeName();
    const std::size_t colons = std::min(name.rfind("::"), name.size());
    out += '{';
    putKey(out, "type");
    out += '{';
    putMember(out, "__module__", colons < name.size() ? name.substr(0, colons) : "");
    putMember(out, "__name__", colons < name.size() ? name.substr(colons + 2) : name);
    out += '}';
    putMember(out, "value", failure.getErrorMessage());
    putKey(out, "parents");
    out += '[';
    putText(out, name);
    out += R"(], "frames": [], "stack": [], "tb": null, "pickled": 1, "captureVars": false)";
    putMember(out, "__class_uuid__", kFailureClass);
    out += '}';
}

void putValue(std::string& out, const LogValue& value) {
    std::visit(
        [&](const auto& v) {
            using V = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<V, std::string_view>) {
                putText(out, v);
            } else if constexpr (std::is_same_v<V, const Failure*>) {
                putFailure(out, *v);
            } else if constexpr (std::is_same_v<V, double>) {
                if (std::isfinite(v)) {
                    fmt::format_to(std::back_inserter(out), "{}", v);
                } else {
                    putText(out, fmt::format("{}", v));
                }
            } else {
                fmt::format_to(std::back_inserter(out), "{}", v);
            }
        },
        value);
}

}  // namespace

std::string eventAsJSON(const LogEvent& event) {
    std::string out = "{";
    putMember(out, "log_namespace", event.logNamespace);
    putKey(out, "log_level");
    out += '{';
    putMember(out, "name", logLevelName(event.level));
    putMember(out, "__class_uuid__", kLevelClass);
    out += '}';
    putMember(out, "log_format", event.format);
    putKey(out, "log_time");
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(event.time.time_since_epoch());
    fmt::format_to(std::back_inserter(out), "{:.6f}", std::chrono::duration<double>(time).count());
    if (!event.source.empty()) putMember(out, "log_source", event.source);
    if (!event.system.empty()) putMember(out, "log_system", event.system);
    if (event.failure != nullptr) {
        putKey(out, "log_failure");
        putFailure(out, *event.failure);
    }
    for (const LogField& field : event.fields) {
        const bool standard = std::find(kStandardKeys.begin(), kStandardKeys.end(), field.name) != kStandardKeys.end();
        if (standard || event.find(field.name) != &field.value) continue;
        putKey(out, field.name);
        putValue(out, field.value);
    }
    out += '}';
    return out;
}

FileLogObserver jsonFileLogObserver(std::FILE* outFile, std::string recordSeparator) {
    return FileLogObserver(outFile, [separator = std::move(recordSeparator)](const LogEvent& event) {
        return separator + eventAsJSON(event) + '\n';
    });
}

}  // namespace torsion::logger
