#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/log_filter.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_publisher.hpp>
#include <torsion/core/logger.hpp>

using namespace torsion;
using namespace torsion::logger;

namespace {

using Strings = std::vector<std::string>;

LogFilterPredicate always(PredicateResult result) {
    return [result](const LogEvent&) { return result; };
}

}  // namespace

TEST_CASE("the longest dotted prefix decides which level a namespace has (LG-13)") {
    LogLevelFilterPredicate levels;
    CHECK(levels.logLevelForNamespace("") == LogLevel::info);
    CHECK(levels.logLevelForNamespace("anything.at.all") == LogLevel::info);

    levels.setLogLevelForNamespace("", LogLevel::error);
    levels.setLogLevelForNamespace("shop", LogLevel::debug);
    levels.setLogLevelForNamespace("shop.orders", LogLevel::warn);
    CHECK(levels.logLevelForNamespace("") == LogLevel::error);
    CHECK(levels.logLevelForNamespace("else") == LogLevel::error);
    CHECK(levels.logLevelForNamespace("shop") == LogLevel::debug);
    CHECK(levels.logLevelForNamespace("shop.till.drawer") == LogLevel::debug);
    CHECK(levels.logLevelForNamespace("shop.orders") == LogLevel::warn);
    CHECK(levels.logLevelForNamespace("shop.orders.new") == LogLevel::warn);
    CHECK(levels.logLevelForNamespace("shop.ordersx") == LogLevel::debug);
    CHECK(levels.logLevelForNamespace("shopping") == LogLevel::error);
    CHECK(levels.logLevelForNamespace(".") == LogLevel::error);
    CHECK(levels.lowestLevel() == LogLevel::debug);

    levels.clearLogLevels();
    CHECK(levels.logLevelForNamespace("shop") == LogLevel::info);
    CHECK(LogLevelFilterPredicate(LogLevel::critical).logLevelForNamespace("shop") == LogLevel::critical);
}

TEST_CASE("a level predicate says no below the level and without a namespace, else maybe (LG-13)") {
    const LogLevelFilterPredicate levels;
    LogEvent event;
    event.logNamespace = "some.name";
    event.level = LogLevel::debug;
    CHECK(levels(event) == PredicateResult::no);
    event.level = LogLevel::info;
    CHECK(levels(event) == PredicateResult::maybe);
    event.logNamespace = "";
    event.level = LogLevel::critical;
    CHECK(levels(event) == PredicateResult::no);
}

TEST_CASE("the first predicate that says yes or no decides, and else the event is logged (LG-14)") {
    using enum PredicateResult;
    const LogEvent event;
    CHECK(shouldLogEvent({}, event));
    CHECK(shouldLogEvent({always(maybe)}, event));
    CHECK(shouldLogEvent({always(yes), always(no)}, event));
    CHECK_FALSE(shouldLogEvent({always(no), always(yes)}, event));
    CHECK_FALSE(shouldLogEvent({always(maybe), always(no)}, event));
    CHECK(shouldLogEvent({always(maybe), always(yes), always(no)}, event));
}

TEST_CASE("a filtering observer hands events on, and the others to its negative observer (LG-14)") {
    Strings passed, refused;
    LogPublisher publisher;
    const Logger log("shop.till", "", publisher);
    const auto levels = std::make_shared<LogLevelFilterPredicate>(LogLevel::warn);
    publisher.addObserver(FilteringLogObserver([&](const LogEvent& event) { passed.push_back(formatEvent(event)); },
                                               {levels},
                                               [&](const LogEvent& event) { refused.push_back(formatEvent(event)); }));
    log.info("quiet");
    log.warn("loud");
    levels->setLogLevelForNamespace("shop", LogLevel::debug);
    log.debug("now loud enough");
    CHECK(passed == Strings{"loud", "now loud enough"});
    CHECK(refused == Strings{"quiet"});
}

TEST_CASE("a predicate that says yes before the levels are asked is heeded (LG-14) (LG-6)") {
    Strings passed;
    LogPublisher publisher;
    const Logger log("shop.till", "", publisher);
    const auto levels = std::make_shared<LogLevelFilterPredicate>(LogLevel::critical);
    const LogFilterPredicate marked = [](const LogEvent& event) {
        return event.find("important") != nullptr ? PredicateResult::yes : PredicateResult::maybe;
    };
    publisher.addObserver(
        FilteringLogObserver([&](const LogEvent& event) { passed.push_back(formatEvent(event)); }, {marked, levels}));
    log.debug("a");
    log.debug("b", field("important", true));
    CHECK(passed == Strings{"b"});
}

TEST_CASE("observers of several levels each get theirs (LG-14) (LG-6)") {
    Strings all, grave;
    LogPublisher publisher;
    const Logger log("shop", "", publisher);
    const LogFilterPredicate errors = std::make_shared<LogLevelFilterPredicate>(LogLevel::error);
    publisher.addObserver(
        FilteringLogObserver([&](const LogEvent& event) { grave.push_back(formatEvent(event)); }, {errors}));
    CHECK_FALSE(log.enabled(LogLevel::warn));
    const LogObserver curious =
        publisher.addObserver([&](const LogEvent& event) { all.push_back(formatEvent(event)); });
    CHECK(log.enabled(LogLevel::debug));
    log.debug("a");
    log.error("b");
    publisher.removeObserver(curious);
    CHECK_FALSE(log.enabled(LogLevel::warn));
    log.warn("c");
    log.critical("d");
    CHECK(all == Strings{"a", "b"});
    CHECK(grave == Strings{"b", "d"});
}
