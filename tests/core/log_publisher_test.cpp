#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_history.hpp>
#include <torsion/core/log_publisher.hpp>
#include <torsion/core/logger.hpp>

using namespace torsion;
using namespace torsion::logger;

namespace {

using Strings = std::vector<std::string>;

/// Notes the texts of events, or throws at them.
struct Noting {
    explicit Noting(Strings& s) : seen(s) {}
    void operator()(const LogEvent& event) {
        seen.push_back(formatEvent(event));
        if (throws) throw ValueError("from an observer");
    }
    Strings& seen;
    bool throws = false;
};

}  // namespace

TEST_CASE("observers are called in the order in which they were added, each once (LG-1)") {
    Strings seen;
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    const LogObserver first = publisher.addObserver([&](const LogEvent&) { seen.emplace_back("first"); });
    const LogObserver second = publisher.addObserver([&](const LogEvent&) { seen.emplace_back("second"); });
    publisher.addObserver(first);
    CHECK(publisher.observerCount() == 2);
    log.info("x");
    CHECK(seen == Strings{"first", "second"});
    publisher.removeObserver(first);
    publisher.removeObserver(first);
    log.info("x");
    CHECK(seen == Strings{"first", "second", "second"});
    CHECK_THROWS_AS(publisher.addObserver(std::shared_ptr<Noting>()), TypeError);
}

TEST_CASE("a publisher may observe another one (LG-1)") {
    Strings seen;
    const auto inner = std::make_shared<LogPublisher>();
    LogPublisher outer({inner, std::make_shared<Noting>(seen)});
    const Logger log("test", "", outer);
    log.info("before");
    const LogObserver late = inner->addObserver([&](const LogEvent&) { seen.emplace_back("inner"); });
    log.debug("after");
    CHECK(seen == Strings{"before", "inner", "after"});
}

TEST_CASE("an observer that throws is reported once to the others, and stays (LG-10)") {
    Strings good, bad;
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    const auto throwing = std::make_shared<Noting>(bad);
    throwing->throws = true;
    publisher.addObserver(throwing);
    publisher.addObserver(std::make_shared<Noting>(good));
    std::vector<SavedLogEvent> reports;
    publisher.addObserver([&](const LogEvent& event) {
        if (event.failure != nullptr) reports.emplace_back(event);
    });
    log.info("one");
    REQUIRE(good.size() == 2);
    CHECK(good[0] == "one");
    CHECK(good[1].starts_with("Passing over observer (anonymous namespace)::Noting"));
    CHECK(good[1].ends_with("[Failure instance: torsion::ValueError: from an observer]"));
    REQUIRE(reports.size() == 1);
    CHECK(reports[0]->level == LogLevel::critical);
    CHECK(reports[0]->failure->check<ValueError>());
    CHECK(bad == Strings{"one"});  // it is spared the report

    throwing->throws = false;
    log.info("two");
    CHECK(bad == Strings{"one", "two"});
    CHECK(good.size() == 3);
}

TEST_CASE("several observers that throw, even at the reports, come to an end (LG-10)") {
    Strings a, b, c;
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    for (Strings* seen : {&a, &b}) {
        const auto throwing = std::make_shared<Noting>(*seen);
        throwing->throws = true;
        publisher.addObserver(throwing);
    }
    publisher.addObserver(std::make_shared<Noting>(c));
    log.info("one");
    CHECK(a.size() == 2);  // the event, and the report of the other
    CHECK(b.size() == 2);
    CHECK(c.size() == 5);  // the event, two reports, and for each of them one of who threw at it
    CHECK(publisher.observerCount() == 3);
}

TEST_CASE("an observer may remove one whose turn has not come, which is not called any more (LG-1)") {
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    auto used = std::make_unique<int>(0);
    std::optional<LogObserver> later;
    publisher.addObserver([&](const LogEvent&) {
        if (!later) return;
        publisher.removeObserver(*later);
        later.reset();
        used.reset();  // what the other one would use
    });
    later = publisher.addObserver([&](const LogEvent&) { ++*used; });
    log.info("x");
    CHECK_FALSE(used);
}

TEST_CASE("observers that log at each event come to an end (LG-1)") {
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    unsigned calls = 0;
    publisher.addObserver([&](const LogEvent&) {
        ++calls;
        log.info("again");
    });
    log.info("once");
    CHECK(calls == LogPublisher::kMaxNesting);
    log.info("twice");
    CHECK(calls == 2 * LogPublisher::kMaxNesting);
}

TEST_CASE("an observer that is removed during a report gets no further one (LG-10)") {
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    Strings seen;
    publisher.addObserver([](const LogEvent& event) {
        if (event.failure == nullptr) throw ValueError("at the event");
    });
    publisher.addObserver([](const LogEvent& event) {
        if (event.failure != nullptr) throw ValueError("at the report");
    });
    std::optional<LogObserver> later;
    publisher.addObserver([&](const LogEvent& event) {
        if (event.failure != nullptr) publisher.removeObserver(*later);
    });
    later = publisher.addObserver(std::make_shared<Noting>(seen));
    log.info("x");
    CHECK(seen == Strings{"x"});
}

TEST_CASE("publishers that observe each other, or themselves, come to an end (LG-1)") {
    const auto unowned = [](LogPublisher& publisher) {
        return std::shared_ptr<LogPublisher>(std::shared_ptr<void>(), &publisher);
    };
    SUBCASE("itself") {
        LogPublisher publisher;
        Strings seen;
        publisher.addObserver(unowned(publisher));
        publisher.addObserver(std::make_shared<Noting>(seen));
        CHECK(publisher.wants(LogLevel::debug, "test"));
        CHECK(publisher.lowestLevel() == LogLevel::debug);
        Logger("test", "", publisher).info("x");
        CHECK(seen.size() == LogPublisher::kMaxNesting);
    }
    SUBCASE("each other") {
        LogPublisher one, other;
        Strings seen;
        one.addObserver(unowned(other));
        other.addObserver(unowned(one));
        one.addObserver(std::make_shared<Noting>(seen));
        CHECK(one.wants(LogLevel::debug, "test"));
        CHECK(other.lowestLevel() == LogLevel::debug);
        Logger("test", "", other).info("x");
        CHECK(seen.size() == LogPublisher::kMaxNesting);
    }
}

TEST_CASE("a history keeps the latest events, and hands them on in order (LG-11)") {
    LogPublisher publisher;
    const Logger log("test", "", publisher);
    const auto history = std::make_shared<LimitedHistoryLogObserver>(3);
    const auto none = std::make_shared<LimitedHistoryLogObserver>(0);
    publisher.addObserver(history);
    publisher.addObserver(none);
    for (int i = 0; i < 5; ++i) log.info("{i}", field("i", i));
    Strings seen;
    history->replayTo(std::make_shared<Noting>(seen));
    CHECK(seen == Strings{"2", "3", "4"});
    none->replayTo(std::make_shared<Noting>(seen));
    CHECK(seen.size() == 3);
    CHECK(LimitedHistoryLogObserver::kDefaultSize == 65536);
}

TEST_CASE("captured logs are those of the global publisher while they are captured (LG-12)") {
    const Logger log("captured");
    {
        const auto logs = capturedLogs();
        log.debug("{n}", field("n", 1));
        log.info("two");
        CHECK(logs.texts() == Strings{"1", "two"});
        REQUIRE(logs.events().size() == 2);
        CHECK(logs.events()[0]->level == LogLevel::debug);
        CHECK(logs.events()[0]->logNamespace == "captured");
        const auto again = capturedLogs();
        log.info("three");
        CHECK(again.texts() == Strings{"three"});
    }
    const auto logs = capturedLogs();
    CHECK(logs.events().empty());
}
