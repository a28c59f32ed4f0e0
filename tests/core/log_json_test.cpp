#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <string>
#include <string_view>

#include <torsion/core/error.hpp>
#include <torsion/core/log_json.hpp>
#include <torsion/core/log_publisher.hpp>
#include <torsion/core/logger.hpp>

#include "captured_file.hpp"

using namespace torsion;
using namespace torsion::logger;

namespace {

const std::string kBegin =
    R"({"log_namespace": "shop", "log_level": {"name": "info", )"
    R"("__class_uuid__": "02e59486-f24d-46ad-8224-3acdf2a5732a"}, "log_format": "{x}", "log_time": 1700000000.250000)";

LogEvent event(std::span<const LogField> fields) {
    LogEvent made;
    made.logNamespace = "shop";
    made.format = "{x}";
    made.fields = fields;
    made.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'250));
    return made;
}

/// A field's value as it stands in the JSON.
std::string asJSON(const LogValue& value) {
    const LogField fields[] = {{"x", value}};
    const std::string json = eventAsJSON(event(fields));
    const std::string before = kBegin + R"(, "x": )";
    REQUIRE(json.starts_with(before));
    REQUIRE(json.ends_with("}"));
    return json.substr(before.size(), json.size() - before.size() - 1);
}

}  // namespace

TEST_CASE("an event as JSON has Twisted's keys, then its fields (LG-16)") {
    CHECK(eventAsJSON(event({})) == kBegin + "}");
    const LogField fields[] = {{"x", std::int64_t{-1}}, {"y", true}, {"x", 2.0}, {"log_time", 0.0}};
    LogEvent made = event(fields);
    made.source = "a source";
    made.system = "a system";
    CHECK(eventAsJSON(made) == kBegin + R"(, "log_source": "a source", "log_system": "a system", "x": -1, "y": true})");
}

TEST_CASE("numbers and bools are JSON's, and what JSON cannot say is text (LG-16)") {
    CHECK(asJSON(true) == "true");
    CHECK(asJSON(false) == "false");
    CHECK(asJSON(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(asJSON(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(asJSON(0.1) == "0.1");
    CHECK(asJSON(1e300) == "1e+300");
    CHECK(asJSON(std::numeric_limits<double>::quiet_NaN()) == R"("nan")");
    CHECK(asJSON(-std::numeric_limits<double>::infinity()) == R"("-inf")");
}

TEST_CASE("texts are escaped, and are UTF-8 whatever they were (LG-16)") {
    using namespace std::string_view_literals;
    CHECK(asJSON(""sv) == R"("")");
    CHECK(asJSON("a\"b\\c/d"sv) == R"("a\"b\\c/d")");
    CHECK(asJSON("a\nb\rc\td\0e\x1e\x7f"sv) == R"("a\nb\u000dc\u0009d\u0000e\u001e\u007f")");
    CHECK(asJSON("\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"sv) == "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80\"");
    for (const std::string_view wrong : {
             "\x80"sv,              // a continuation without a beginning
             "\xc3"sv,              // a beginning without continuation
             "\xc0\xaf"sv,          // longer than need be
             "\xe0\x80\xaf"sv,      //
             "\xf0\x80\x80\xaf"sv,  //
             "\xed\xa0\x80"sv,      // a surrogate
             "\xf4\x90\x80\x80"sv,  // beyond U+10FFFF
             "\xff"sv,
         }) {
        CAPTURE(wrong.size());
        std::string expected;
        for (std::size_t i = 0; i < wrong.size(); ++i) expected += "\\ufffd";
        CHECK(asJSON(std::string(wrong) + "a") == '"' + expected + "a\"");
    }
    CHECK(asJSON("\xe2\x82"sv) == R"("\ufffd\ufffd")");
}

TEST_CASE("a failure is an object of which Twisted makes a Failure (LG-16)") {
    const Failure failure = ValueError("bad \"value\"");
    const std::string json =
        R"({"type": {"__module__": "torsion", "__name__": "ValueError"}, "value": "bad \"value\"", )"
        R"("parents": ["torsion::ValueError"], "frames": [], "stack": [], "tb": null, "pickled": 1, )"
        R"("captureVars": false, "__class_uuid__": "e76887e2-20ed-49bf-a8f8-ba25cc586f2d"})";
    CHECK(asJSON(&failure) == json);
    LogEvent made = event({});
    made.failure = &failure;
    CHECK(eventAsJSON(made) == kBegin + R"(, "log_failure": )" + json + "}");
}

TEST_CASE("a JSON file has a record separator, an object and a newline for each event (LG-16)") {
    const CapturedFile sequence, lines;
    LogPublisher publisher;
    const Logger log("shop", "", publisher);
    publisher.addObserver(jsonFileLogObserver(sequence.file()));
    publisher.addObserver(jsonFileLogObserver(lines.file(), ""));
    log.info("{text}", field("text", "one\ntwo"));
    log.info("");
    const std::string text = sequence.text();
    CHECK(text.starts_with("\x1e{"));
    CHECK(text.ends_with("}\n"));
    CHECK(text.find("}\n\x1e{") != std::string::npos);
    const std::string plain = lines.text();
    CHECK(plain.starts_with("{"));
    CHECK(plain.find("}\n{") != std::string::npos);
    CHECK(text.size() == plain.size() + 2);
}
