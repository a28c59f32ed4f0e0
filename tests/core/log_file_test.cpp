#include <doctest/doctest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <torsion/core/log_file.hpp>
#include <torsion/core/log_publisher.hpp>
#include <torsion/core/logger.hpp>

#include "captured_file.hpp"

using namespace torsion;
using namespace torsion::logger;

TEST_CASE("a text file observer writes a line for each event, at once (LG-8)") {
    const CapturedFile file;
    LogPublisher publisher;
    const Logger log("shop.till", "", publisher);
    publisher.addObserver(textFileLogObserver(file.file(), ""));
    log.info("one");
    CHECK(file.text() == "- [shop.till#info] one\n");
    log.warn("");  // no text, no line
    log.warn("two\nlines");
    CHECK(file.text() == "- [shop.till#info] one\n- [shop.till#warn] two\n\tlines\n");
}

TEST_CASE("a text file observer puts the time first, in the format that was asked for (LG-8)") {
    const CapturedFile file;
    LogPublisher publisher;
    const Logger log("shop", "", publisher);
    std::vector<SavedLogEvent> events;
    publisher.addObserver([&](const LogEvent& event) { events.emplace_back(event); });
    publisher.addObserver(textFileLogObserver(file.file()));
    publisher.addObserver(textFileLogObserver(file.file(), "%Y %j"));
    log.info("x");
    REQUIRE(events.size() == 1);
    CHECK(file.text() ==
          formatTime(events[0]->time) + " [shop#info] x\n" + formatTime(events[0]->time, "%Y %j") + " [shop#info] x\n");
}

TEST_CASE("an event that cannot be written is an error, which the other observers hear of (LG-10)") {
    std::FILE* full = std::fopen("/dev/full", "w");
    REQUIRE(full != nullptr);
    LogPublisher publisher;
    const Logger log("shop", "", publisher);
    publisher.addObserver(textFileLogObserver(full));
    std::vector<SavedLogEvent> events;
    publisher.addObserver([&](const LogEvent& event) { events.emplace_back(event); });
    log.info("x");
    REQUIRE(events.size() == 2);
    REQUIRE(events[1]->failure != nullptr);
    const auto* error = events[1]->failure->value<std::system_error>();
    REQUIRE(error != nullptr);
    CHECK(error->code() == std::errc::no_space_on_device);
    std::fclose(full);
}
