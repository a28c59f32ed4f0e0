#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/printable.hpp>
#include <torsion/testing/results.hpp>
#include <torsion/testing/seed.hpp>

using namespace torsion;
using testing::assertNoResult;
using testing::FailTest;
using testing::failureResultOf;
using testing::LoggedErrors;
using testing::successResultOf;

TEST_CASE("successResultOf gives the value, or tells what there is instead (TK-13)") {
    CHECK(successResultOf(defer::succeed(5)) == 5);
    successResultOf(defer::succeed());
    CHECK(*successResultOf(defer::succeed(std::make_unique<int>(7))) == 7);
    CHECK_THROWS_WITH_AS(successResultOf(Deferred<int>()), doctest::Contains("no result yet"), FailTest);
    CHECK_THROWS_WITH_AS(successResultOf(defer::fail(ValueError("bad"))), doctest::Contains("torsion::ValueError: bad"),
                         FailTest);
}

TEST_CASE("failureResultOf gives the Failure, of one of the types if there are any (TK-13)") {
    const LoggedErrors errors;
    CHECK(failureResultOf(defer::fail(ValueError("bad"))).check<ValueError>());
    CHECK(failureResultOf<TypeError, ValueError>(defer::fail<int>(ValueError("bad"))).check<ValueError>());
    CHECK_THROWS_WITH_AS((failureResultOf<TypeError, TimeoutError>(defer::fail(ValueError("bad")))),
                         doctest::Contains("of type torsion::TypeError or torsion::TimeoutError was expected"),
                         FailTest);
    CHECK_THROWS_WITH_AS(failureResultOf(defer::succeed(5)), doctest::Contains("succeeded"), FailTest);
    CHECK_THROWS_WITH_AS(failureResultOf(Deferred<void>()), doctest::Contains("no result yet"), FailTest);
    CHECK(errors.size() == 0);  // what was asked for is handled
}

TEST_CASE("assertNoResult leaves a Deferred that has none as it was (TK-13)") {
    const Deferred<int> waiting;
    assertNoResult(waiting);
    waiting.callback(3);
    CHECK_THROWS_WITH_AS(assertNoResult(waiting), doctest::Contains("has a success"), FailTest);
    CHECK_THROWS_WITH_AS(assertNoResult(defer::fail(ValueError("bad"))), doctest::Contains("ValueError"), FailTest);
}

TEST_CASE("a Deferred that waits for another one in its callbacks has no result yet") {
    const Deferred<void> inner;
    const Deferred<void> outer = defer::succeed().addCallback([inner] { return inner; });
    assertNoResult(outer);
    inner.callback();
    successResultOf(outer);
}

TEST_CASE("logged errors are caught, and flushed by type (TK-16)") {
    LoggedErrors errors;
    log::msg("nothing to catch");
    log::err(ValueError("first"), "doing one thing");
    log::err(TypeError("second"), "doing another");
    { const Deferred<void> dropped = defer::fail(TimeoutError()); }
    CHECK(errors.size() == 3);
    CHECK(errors.entries().at(2).unhandled);
    CHECK(errors.text().find("doing one thing: torsion::ValueError: first") != std::string::npos);
    CHECK(testing::flushLoggedErrors<TypeError, TimeoutError>().size() == 2);
    CHECK(errors.size() == 1);
    CHECK(testing::flushLoggedErrors().at(0).check<ValueError>());
    CHECK(errors.size() == 0);
    CHECK(errors.text().empty());
}

TEST_CASE("of nested observers of logged errors the inner one has them; outside there is nothing to flush") {
    CHECK_THROWS_AS(testing::flushLoggedErrors(), RuntimeError);
    LoggedErrors outer;
    {
        LoggedErrors inner;
        log::err(ValueError("x"), "inside");
        CHECK(inner.flush().size() == 1);
    }
    CHECK(outer.size() == 0);
    log::err(ValueError("x"), "outside");
    CHECK(outer.flush<ValueError>().size() == 1);
}

TEST_CASE("octets are printable") {
    CHECK(testing::printable(std::string_view("a\r\n\"\\\0\xff", 7)) == "a\\r\\n\\\"\\\\\\x00\\xff");
}

TEST_CASE("a seed comes from the environment if it is there, and is a number") {
    setenv("TORSION_SEED", "4294967295", 1);
    CHECK(testing::printedSeed("a test of seeds") == 4294967295U);
    for (const char* wrong : {"", "x", "4294967296", "-1", "1x"}) {
        setenv("TORSION_SEED", wrong, 1);
        CHECK_THROWS_AS(testing::printedSeed("a test of seeds"), ValueError);
    }
    unsetenv("TORSION_SEED");
}
