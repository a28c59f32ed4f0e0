#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/address.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log_filter.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_history.hpp>
#include <torsion/core/logger.hpp>

using namespace torsion;
using namespace torsion::logger;

namespace {

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a logger's event has level, namespace, source, format, time and fields (LG-4)") {
    LogPublisher publisher;
    const Logger log("shop.orders", "till 3", publisher);
    CHECK(log.logNamespace() == "shop.orders");
    CHECK(log.source() == "till 3");
    int seen = 0;
    const auto before = std::chrono::system_clock::now();
    publisher.addObserver([&](const LogEvent& event) {
        ++seen;
        CHECK(event.level == LogLevel::warn);
        CHECK(event.logNamespace == "shop.orders");
        CHECK(event.source == "till 3");
        CHECK(event.format == "{user} took {count}");
        CHECK(event.time >= before);
        CHECK(event.time <= std::chrono::system_clock::now());
        CHECK(event.failure == nullptr);
        CHECK(event.system.empty());
        REQUIRE(event.fields.size() == 2);
        REQUIRE(event.find("user") != nullptr);
        CHECK(std::get<std::string_view>(*event.find("user")) == "ada");
        CHECK(std::get<std::int64_t>(*event.find("count")) == 3);
        CHECK(event.find("price") == nullptr);
        CHECK(formatEvent(event) == "ada took 3");
    });
    log.warn("{user} took {count}", field("user", "ada"), field("count", 3));
    CHECK(seen == 1);
}

TEST_CASE("each level has a method and a name (LG-4) (LG-5)") {
    LogPublisher publisher;
    const Logger log("levels", "", publisher);
    Strings seen;
    publisher.addObserver([&](const LogEvent& event) {
        seen.push_back(std::string(logLevelName(event.level)) + ' ' + formatEvent(event));
    });
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    log.critical("e");
    log.emit(LogLevel::warn, "f {n}", field("n", 1));
    CHECK(seen == Strings{"debug a", "info b", "warn c", "error d", "critical e", "warn f 1"});
}

TEST_CASE("levels are found by their names, and others refused (LG-5)") {
    for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error, LogLevel::critical})
        CHECK(logLevelWithName(logLevelName(level)) == level);
    CHECK(LogLevel::debug < LogLevel::critical);
    CHECK_THROWS_WITH_AS(logLevelWithName("loud"), "'loud' is no log level: use debug, info, warn, error or critical",
                         InvalidLogLevelError);
}

TEST_CASE("a field may be a bool, a number, a text, a level, a failure or what has str() (LG-4)") {
    LogPublisher publisher;
    const Logger log("fields", "", publisher);
    const CapturedLogs logs(publisher);
    const char* nothing = nullptr;
    const std::string text = "text";
    log.info("{a} {b} {c} {d} {e} {f} {g} {h} {i}", field("a", true), field("b", -5),
             field("c", std::numeric_limits<std::uint64_t>::max()), field("d", 1.5), field("e", text), field("f", 'x'),
             field("g", nothing), field("h", LogLevel::debug), field("i", std::string_view("view")));
    log.info("{failure}; {address}", field("failure", Failure(ValueError("bad"))),
             field("address", IPv4Address("127.0.0.1", 80)));
    CHECK(logs.texts() ==
          Strings{"true -5 18446744073709551615 1.5 text x (null) debug view",
                  "[Failure instance: torsion::ValueError: bad]; " + IPv4Address("127.0.0.1", 80).str()});
}

TEST_CASE("a callable field is evaluated only if somebody wants the event (LG-6)") {
    LogPublisher publisher;
    const Logger log("lazy", "", publisher);
    int calls = 0;
    const auto expensive = [&] {
        ++calls;
        return std::string("a dump");
    };
    log.debug("{dump}", field("dump", expensive));
    CHECK(calls == 0);  // nobody listens at all
    CHECK_FALSE(log.enabled(LogLevel::critical));

    Strings seen;
    const auto levels = std::make_shared<LogLevelFilterPredicate>();
    publisher.addObserver(
        FilteringLogObserver([&](const LogEvent& event) { seen.push_back(formatEvent(event)); }, {levels}));
    CHECK_FALSE(log.enabled(LogLevel::debug));
    CHECK(log.enabled(LogLevel::info));
    log.debug("{dump}", field("dump", expensive));
    CHECK(calls == 0);  // nobody wants debug

    levels->setLogLevelForNamespace("other", LogLevel::debug);
    CHECK(log.enabled(LogLevel::debug));
    log.debug("{dump}", field("dump", expensive));
    CHECK(calls == 0);  // nobody wants it of this namespace

    levels->setLogLevelForNamespace("lazy", LogLevel::debug);
    log.debug("{dump}", field("dump", expensive));
    CHECK(calls == 1);
    CHECK(seen == Strings{"a dump"});

    levels->clearLogLevels();
    log.debug("{dump}", field("dump", expensive));
    CHECK(calls == 1);
}

TEST_CASE("what a callable field throws becomes its value (LG-2)") {
    LogPublisher publisher;
    const Logger log("lazy", "", publisher);
    const CapturedLogs logs(publisher);
    log.info("{n} {m}", field("n", []() -> int { throw ValueError("no number"); }), field("m", [] { return 7; }));
    CHECK(logs.texts() == Strings{"[Failure instance: torsion::ValueError: no number] 7"});
}

TEST_CASE("what str() or a conversion to text throws becomes the value of the field (LG-2)") {
    struct Named {
        std::string str() const { throw ValueError("no name"); }
    };
    struct Text {
        operator std::string_view() const { throw ValueError("no text"); }
    };
    LogPublisher publisher;
    const Logger log("fields", "", publisher);
    const CapturedLogs logs(publisher);
    log.info("{a}; {b}; {c}; {d}", field("a", Named()), field("b", Text()), field("c", [] { return Named(); }),
             field("d", 7));
    CHECK(logs.texts() == Strings{"[Failure instance: torsion::ValueError: no name]; "
                                  "[Failure instance: torsion::ValueError: no text]; "
                                  "[Failure instance: torsion::ValueError: no name]; 7"});
}

TEST_CASE("failure reports a failure as critical, with what was being done (LG-7)") {
    LogPublisher publisher;
    const Logger log("failures", "", publisher);
    const CapturedLogs logs(publisher);
    log.failure("While frobbing {knob}", ValueError("stuck"), field("knob", 7));
    try {
        throw ValueError("loose");
    } catch (const std::exception&) {
        log.failure("While turning {knob}", field("knob", 8));
    }
    log.failure("out of the blue");
    log.emitFailure(LogLevel::warn, "tried {n} times: {log_failure}", ValueError("no"), field("n", 2));
    const auto events = logs.events();
    REQUIRE(events.size() == 4);
    CHECK(events[0]->level == LogLevel::critical);
    REQUIRE(events[0]->failure != nullptr);
    CHECK(events[0]->failure->check<ValueError>());
    EventTextParts text;
    text.includeTimestamp = text.includeSystem = false;
    CHECK(eventAsText(*events[0], text) == "While frobbing 7\ntorsion::ValueError: stuck");
    CHECK(eventAsText(*events[1], text) == "While turning 8\ntorsion::ValueError: loose");
    CHECK(events[2]->failure->check<RuntimeError>());  // there is no exception to report, and that is reported
    CHECK(events[3]->level == LogLevel::warn);
    CHECK(formatEvent(*events[3]) == "tried 2 times: [Failure instance: torsion::ValueError: no]");
}

TEST_CASE("a saved event keeps all that it is made of (LG-4)") {
    std::vector<SavedLogEvent> saved;
    {
        LogPublisher publisher;
        const Logger log(std::string("short.") + "lived", "a source", publisher);
        publisher.addObserver([&](const LogEvent& event) { saved.emplace_back(event); });
        const std::string text = "a text that is too long for a string to keep inside";
        log.failure(std::string("{text} ") + "{why} {n}", ValueError("first"), field("text", text),
                    field("why", [] { return Failure(ValueError("second")); }), field("n", 2U));
    }
    const SavedLogEvent copy = saved.at(0);
    saved.clear();
    CHECK(copy->logNamespace == "short.lived");
    CHECK(copy->source == "a source");
    CHECK(copy->failure->getErrorMessage() == "first");
    CHECK(formatEvent(*copy) ==
          "a text that is too long for a string to keep inside "
          "[Failure instance: torsion::ValueError: second] 2");
}
