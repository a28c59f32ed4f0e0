#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log_beginner.hpp>
#include <torsion/core/log_format.hpp>
#include <torsion/core/logger.hpp>

#include "captured_file.hpp"

using namespace torsion;
using namespace torsion::logger;

namespace {

using Strings = std::vector<std::string>;

LogObserver into(Strings& seen) {
    return [&seen](const LogEvent& event) { seen.push_back(formatEvent(event)); };
}

/// What is written to stderr while it lives.
class CapturedErrors {
public:
    CapturedErrors() : stderr_(::dup(STDERR_FILENO)) {
        REQUIRE(stderr_ >= 0);
        REQUIRE(::dup2(::fileno(captured_.file()), STDERR_FILENO) >= 0);
    }
    ~CapturedErrors() {
        ::dup2(stderr_, STDERR_FILENO);
        ::close(stderr_);
    }
    CapturedErrors(const CapturedErrors&) = delete;
    CapturedErrors& operator=(const CapturedErrors&) = delete;
    std::string text() const { return captured_.text(); }

private:
    const CapturedFile captured_;
    int stderr_;
};

}  // namespace

TEST_CASE("what is logged before logging begins is kept, and handed on then (LG-15)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("early", "", publisher);
    CHECK_FALSE(beginner.begun());
    log.debug("{n}", field("n", 1));
    log.info("2");
    Strings seen;
    beginner.beginLoggingTo({into(seen)});
    CHECK(beginner.begun());
    CHECK(seen == Strings{"1", "2"});
    log.info("3");
    CHECK(seen == Strings{"1", "2", "3"});
    CHECK(errors.text().empty());
}

TEST_CASE("of early events the latest 200 are kept (LG-15)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("early", "", publisher);
    for (int i = 0; i < 250; ++i) log.info("{i}", field("i", i));
    Strings seen;
    beginner.beginLoggingTo({into(seen)});
    REQUIRE(seen.size() == 200);
    CHECK(seen.front() == "50");
    CHECK(seen.back() == "249");
}

TEST_CASE("what was kept may be dropped instead (LG-15)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("early", "", publisher);
    log.info("early");
    Strings seen;
    beginner.beginLoggingTo({into(seen)}, true);
    log.info("late");
    CHECK(seen == Strings{"late"});
}

TEST_CASE("a second target of logging is used, too, and warned of (LG-15)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("early", "", publisher);
    Strings first, second;
    log.info("early");
    beginner.beginLoggingTo({into(first)});
    beginner.beginLoggingTo({into(second)});
    CHECK(first.size() == 2);
    REQUIRE(second.size() == 1);
    CHECK(second[0].starts_with("Warning: primary log target selected twice"));
}

TEST_CASE("while nobody listens, errors go to the beginner's stream and the rest nowhere (LG-3)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("early", "", publisher);
    log.warn("a warning");
    log.error("an error");
    CHECK(errors.text().ends_with(" [-] an error\n"));
    const std::size_t size = errors.text().size();

    Strings seen;
    const LogObserver observer = publisher.addObserver(into(seen));
    log.error("another");
    CHECK(errors.text().size() == size);

    beginner.beginLoggingTo({observer}, true);
    log.error("a third");
    publisher.removeObserver(observer);
    CHECK(log.enabled(LogLevel::error));
    CHECK_FALSE(log.enabled(LogLevel::warn));
    log.critical("a fourth");
    CHECK(errors.text().ends_with(" [-] a fourth\n"));
    publisher.addObserver(bitbucketLogObserver);
    log.critical("a fifth");
    CHECK(errors.text().ends_with(" [-] a fourth\n"));
}

TEST_CASE("a program's only observer that throws is reported on stderr (LG-10)") {
    const CapturedFile errors;
    LogPublisher publisher;
    LogBeginner beginner(publisher, errors.file());
    const Logger log("late", "", publisher);
    std::string reported;
    {
        const CapturedErrors captured;
        beginner.beginLoggingTo({[](const LogEvent&) { throw ValueError("the disk is full"); }});
        log.info("hello");
        reported = captured.text();
    }
    CHECK(reported.find(" [-] Passing over observer ") != std::string::npos);
    CHECK(reported.ends_with(
        "for this report due to its exception: [Failure instance: torsion::ValueError: the disk is full]\n"
        "\ttorsion::ValueError: the disk is full\n"));

    publisher.addObserver(bitbucketLogObserver);  // somebody who says that silence is wanted
    {
        const CapturedErrors captured;
        log.info("hello");
        reported = captured.text();
    }
    CHECK(reported.empty());
    CHECK(errors.text().empty());
}
