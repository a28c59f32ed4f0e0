#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

#include "captured_file.hpp"

using namespace torsion;

namespace {

using Strings = std::vector<std::string>;

/// The part behind the time stamp of each line.
Strings withoutStamps(const std::string& text) {
    Strings lines;
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        const std::string line = text.substr(begin, end - begin);
        lines.push_back(line.starts_with('\t') ? line : line.substr(std::min<std::size_t>(line.size(), 25)));
        begin = end + 1;
    }
    return lines;
}

}  // namespace

TEST_CASE("startLogging writes stamped lines, the first of them \"Log opened.\" (PY-6)") {
    const CapturedFile captured;
    log::startLogging(captured.file());
    log::msg("hello");
    log::warn("careful", "Port");
    log::msg("two\nlines");
    log::err(ValueError("bad value"), "while testing");
    log::stopLogging();
    log::msg("unheard");
    const std::string text = captured.text();
    CHECK(withoutStamps(text) == Strings{"[-] Log opened.", "[-] hello", "[Port] careful", "[-] two", "\tlines",
                                         "[-] while testing", "\ttorsion::ValueError: bad value"});
    // YYYY-MM-DD HH:MM:SS+ZZZZ
    CHECK(text[4] == '-');
    CHECK(text[10] == ' ');
    CHECK(text[13] == ':');
    CHECK((text[19] == '+' || text[19] == '-'));
    CHECK(text[24] == ' ');
}

TEST_CASE("observers get every event at once, in the thread that logs (LG-1)") {
    Strings seen;
    const int observer = log::addObserver([&](const log::Event& event) {
        seen.push_back(std::to_string(static_cast<int>(event.level)) + ' ' + std::string(event.system) + ' ' +
                       std::string(event.text) +
                       (event.failure != nullptr ? ' ' + event.failure->getErrorMessage() : ""));
    });
    log::msg("a");
    CHECK(seen == Strings{"1 - a"});
    log::warn("b", "x");
    log::err(ValueError("c"));
    log::critical(ValueError("d"), "why");
    CHECK(seen == Strings{"1 - a", "2 x b", "3 - Unhandled Error c", "4 - why d"});
    log::removeObserver(observer);
    log::msg("e");
    CHECK(seen.size() == 4);
    log::removeObserver(observer);  // harmless
}

TEST_CASE("an observer that throws does not keep the event from the others (LG-1)") {
    Strings seen;
    const int bad = log::addObserver([](const log::Event& event) {
        if (event.text == "careful now") throw ValueError("observer");
    });
    const int good = log::addObserver([&](const log::Event& event) {
        seen.push_back(event.failure != nullptr ? event.failure->getErrorMessage() : std::string(event.text));
    });
    log::msg("careful now");
    log::removeObserver(bad);
    log::removeObserver(good);
    CHECK(seen == Strings{"careful now", "observer"});  // the event, and the report of what was thrown
}

TEST_CASE("an observer may log, and may remove itself") {
    Strings seen;
    int self = 0;
    self = log::addObserver([&](const log::Event& event) {
        seen.emplace_back(event.text);
        if (event.text == "first") {
            log::msg("second");
            log::removeObserver(self);
            log::msg("third");
        }
    });
    log::msg("first");
    log::msg("fourth");
    CHECK(seen == Strings{"first", "second"});
}
