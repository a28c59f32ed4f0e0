#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/log.hpp>
#include <torsion/core/log_filter.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/log_history.hpp>
#include <torsion/core/logger.hpp>

using namespace torsion;
using namespace torsion::logger;

TEST_CASE("threads log at the same time, and an observer is called by one at a time (LG-1)") {
    LogPublisher publisher;
    const Logger log("threads", "", publisher);
    constexpr int kThreads = 4;
    constexpr int kEvents = 500;
    std::vector<std::string> texts;  // guarded by nothing but the publisher's promise
    publisher.addObserver([&](const LogEvent& event) { texts.push_back(formatEvent(event)); });
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEvents; ++i) log.info("{t} {i}", field("t", t), field("i", i));
        });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(texts.size() == kThreads * kEvents);
    std::vector<int> next(kThreads, 0);
    for (const std::string& text : texts) {  // each thread's in its order
        const auto t = static_cast<std::size_t>(text[0] - '0');
        CHECK(text == std::to_string(t) + ' ' + std::to_string(next[t]));
        ++next[t];
    }
}

TEST_CASE("observers and levels change while others log; one that was removed is not called any more (LG-1) (LG-6)") {
    LogPublisher publisher;
    const Logger log("threads.changing", "", publisher);
    const auto levels = std::make_shared<LogLevelFilterPredicate>();
    std::atomic<bool> stop{false};
    std::atomic<int> logged{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            while (!stop) {
                log.debug("{n}", field("n", [] { return 1; }));
                log.info("x");
                ++logged;
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        auto count = std::make_unique<int>(0);
        const LogObserver observer = publisher.addObserver(
            FilteringLogObserver([&](const LogEvent&) { ++*count; }, {LogFilterPredicate(levels)}));
        levels->setLogLevelForNamespace("threads", i % 2 == 0 ? LogLevel::debug : LogLevel::error);
        const auto logs = capturedLogs(publisher);
        log.warn("mine");
        CHECK_FALSE(logs.events().empty());
        publisher.removeObserver(observer);
        count.reset();  // a later call of the observer would be a use after free
    }
    while (logged < 100) std::this_thread::yield();
    stop = true;
    for (std::thread& thread : threads) thread.join();
}

TEST_CASE("the functions of log may be called from any thread, along with loggers (LG-1)") {
    std::vector<std::string> texts;
    const int number = log::addObserver([&](const log::Event& event) { texts.emplace_back(event.text); });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            const Logger own("threads.own");
            for (int i = 0; i < 100; ++i) {
                log::msg("old");
                own.info("new");
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    log::removeObserver(number);
    CHECK(texts.size() == 800);
}
