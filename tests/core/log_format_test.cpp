#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

#include <torsion/core/error.hpp>
#include <torsion/core/log_format.hpp>

using namespace torsion;
using namespace torsion::logger;
using namespace std::string_view_literals;

namespace {

LogEvent event(std::string_view format, std::span<const LogField> fields = {}) {
    LogEvent made;
    made.logNamespace = "some.name";
    made.format = format;
    made.fields = fields;
    made.time = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    return made;
}

const std::string kTime = formatTime(std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000)));

}  // namespace

TEST_CASE("fields are put in by name, with fmt's specifications (LG-2)") {
    const LogField fields[] = {{"n", std::int64_t{5}}, {"who", std::string_view("ada")}, {"x", 1.25}};
    CHECK(formatEvent(event("{who}: {n:>4}|{x:.1f}|{{}}", fields)) == "ada:    5|1.2|{}");
    CHECK(formatEvent(event("{n:>{width}}",
                            std::to_array<LogField>({{"n", std::int64_t{5}}, {"width", std::int64_t{3}}}))) == "  5");
    CHECK(formatEvent(event("no fields at all", fields)) == "no fields at all");
    CHECK(formatEvent(event("")) == "");
}

TEST_CASE("the keys of the event itself may be formatted, too (LG-2)") {
    LogEvent made = event("{log_level} {log_namespace} {log_source} {log_system} {log_time:.1f}");
    made.source = "a port";
    made.system = "sys";
    CHECK(formatEvent(made) == "info some.name a port sys 1700000000.0");
}

TEST_CASE("fields without names in the format go by their order, also beside keys of the event (LG-2)") {
    const LogField fields[] = {{"user", std::string_view("ada")}, {"n", std::int64_t{5}}};
    CHECK(formatEvent(event("{} {}", fields)) == "ada 5");
    CHECK(formatEvent(event("{} {} at {log_level}", fields)) == "ada 5 at info");
    CHECK(formatEvent(event("{log_namespace}: {1} {0}", fields)) == "some.name: 5 ada");
}

TEST_CASE("a field with the name of a key of the event is shown in its place (LG-2)") {
    const LogField fields[] = {{"log_level", std::string_view("of water")}, {"n", std::int64_t{5}}};
    CHECK(formatEvent(event("{log_level} {} {} {log_namespace}", fields)) == "of water of water 5 some.name");
}

TEST_CASE("an event that cannot be formatted says so, and what it has (LG-2)") {
    const Failure failure = ValueError("bad");
    const LogField fields[] = {{"who", std::string_view("ada")}, {"n", std::int64_t{5}}, {"why", &failure}};
    const std::string has = ", who: 'ada', n: 5, why: [Failure instance: torsion::ValueError: bad]}: ";
    for (const std::string format : {"{nobody}", "{", "}", "{who:d}", "{n!r}", "{9}", "{who", "{n:>{who}}"}) {
        CAPTURE(format);
        const std::string begin =
            "Unable to format event {log_level: info, log_namespace: 'some.name', log_format: '" + format + "'" + has;
        const std::string text = formatEvent(event(format, fields));
        CHECK(text.substr(0, begin.size()) == begin);
        CHECK(text.size() > begin.size());  // fmt's reason
    }
}

TEST_CASE("a line of text is time, namespace and level, and the text (LG-8)") {
    CHECK(formatEventAsClassicLogText(event("hello")) == kTime + " [some.name#info] hello\n");
    CHECK(kTime.size() == std::string_view("2026-11-21T08:00:00+0000").size());
    CHECK(kTime[10] == 'T');

    LogEvent made = event("hello");
    made.level = LogLevel::critical;
    CHECK(formatEventAsClassicLogText(made, nullptr) == "- [some.name#critical] hello\n");
    CHECK(formatEventAsClassicLogText(made, "%Y") == "2023 [some.name#critical] hello\n");
    made.logNamespace = "";
    CHECK(formatEventAsClassicLogText(made, nullptr) == "- [-#critical] hello\n");
    made.system = "Port 80";
    CHECK(formatEventAsClassicLogText(made, nullptr) == "- [Port 80] hello\n");
}

TEST_CASE("further lines of an event begin with a tab, its failure stands on the last (LG-8)") {
    const Failure failure = ValueError("bad\nvalue");
    LogEvent made = event("two\nlines");
    made.failure = &failure;
    CHECK(formatEventAsClassicLogText(made, nullptr) ==
          "- [some.name#info] two\n\tlines\n\ttorsion::ValueError: bad\n\tvalue\n");
    CHECK(eventAsText(made, {false, false, false, nullptr}) == "two\nlines");
    CHECK(eventAsText(made, {true, false, false, nullptr}) == "two\nlines\ntorsion::ValueError: bad\nvalue");
}

TEST_CASE("no text can pass for another line: control characters but newline and tab are shown as numbers (LG-8)") {
    const std::string_view hostile = "a\r- [-] forged\x1b[2K\v\0\tb\n- [-] forged"sv;
    const LogField fields[] = {{"text", hostile}};
    LogEvent made = event("{text}", fields);
    CHECK(formatEventAsClassicLogText(made, nullptr) ==
          "- [some.name#info] a\\x0d- [-] forged\\x1b[2K\\x0b\\x00\tb\n\t- [-] forged\n");
    CHECK(formatEvent(made) == hostile);
    made = event("text");
    made.system = "Port\r80";
    CHECK(formatEventAsClassicLogText(made, nullptr) == "- [Port\\x0d80] text\n");
    CHECK(formatEventAsClassicLogText(event("\xc3\xa9 \x7f"), nullptr) == "- [some.name#info] \xc3\xa9 \x7f\n");
}

TEST_CASE("an event without a text makes no line, unless it has a failure (LG-8)") {
    LogEvent made = event("");
    CHECK(formatEventAsClassicLogText(made) == "");
    const Failure failure = ValueError("bad");
    made.failure = &failure;
    CHECK(formatEventAsClassicLogText(made, nullptr) == "- [some.name#info] \n\ttorsion::ValueError: bad\n");
}

TEST_CASE("the line of twisted.python.log has a space in its time, and the system (LG-9)") {
    LogEvent made = event("hello");
    std::string time = kTime;
    time[10] = ' ';
    CHECK(formatEventAsLegacyLogText(made) == time + " [-] hello\n");
    made.system = "Port 80";
    CHECK(formatEventAsLegacyLogText(made) == time + " [Port 80] hello\n");
}
