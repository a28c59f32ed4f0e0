#include <doctest/doctest.h>

#include <memory>
#include <sstream>
#include <string>

#include <spdlog/sinks/ostream_sink.h>

#include <torsion/core/error.hpp>
#include <torsion/core/log_spdlog.hpp>
#include <torsion/core/logger.hpp>

using namespace torsion;
using namespace torsion::logger;

TEST_CASE("spdlog's logger gets level, namespace and text, and only what it wants (LG-17)") {
    std::ostringstream out;
    const auto spdlogger =
        std::make_shared<spdlog::logger>("app", std::make_shared<spdlog::sinks::ostream_sink_st>(out, true));
    spdlogger->set_pattern("%n %l %v");
    LogPublisher publisher;
    publisher.addObserver(SpdlogObserver(spdlogger));
    const Logger log("shop.till", "", publisher);
    int evaluated = 0;
    log.debug("{n}", field("n", [&] { return ++evaluated; }));
    log.info("{n} {{}}", field("n", 1));
    log.failure("While counting", ValueError("bad"));
    CHECK(evaluated == 0);
    CHECK(out.str() ==
          "app info [shop.till] 1 {}\napp critical [shop.till] While counting\ntorsion::ValueError: bad\n");
    CHECK_THROWS_AS(SpdlogObserver(nullptr), TypeError);
}
