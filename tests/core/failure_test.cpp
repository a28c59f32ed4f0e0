#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/failure.hpp>

using namespace torsion;

TEST_CASE("a Failure checks by type and by base (PY-1)") {
    const Failure failure = ConnectionAborted();
    CHECK(failure.check<ConnectionAborted>());
    CHECK(failure.check<ConnectionLost>());
    CHECK(failure.check<ConnectionDone, ConnectionClosed>());
    CHECK(failure.check<std::exception>());
    CHECK_FALSE(failure.check<ConnectionDone>());
    CHECK_FALSE(failure.check<ConnectError, ValueError>());
}

TEST_CASE("trap lets its own errors pass and raises the others (PY-2)") {
    const Failure failure = ConnectionDone();
    CHECK_NOTHROW(failure.trap<ConnectionDone>());
    CHECK_NOTHROW(failure.trap<ValueError, ConnectionClosed>());
    CHECK_THROWS_AS((failure.trap<ConnectionLost, ValueError>()), ConnectionDone);
}

TEST_CASE("value gives the error with its own fields (PY-4)") {
    const Failure failure = ConnectError(111, "here");
    REQUIRE(failure.value<ConnectError>() != nullptr);
    CHECK(failure.value<ConnectError>()->osError() == 111);
    CHECK(failure.value<Error>() != nullptr);
    CHECK(failure.value<ConnectionDone>() == nullptr);
}

TEST_CASE("raise throws the error as what it is (PY-4)") {
    CHECK_THROWS_AS(Failure(ConnectionLost("x")).raise(), ConnectionLost);
    CHECK_THROWS_WITH(Failure(std::runtime_error("plain")).raise(), "plain");
}

TEST_CASE("current captures what is being handled, also what is no std::exception (PY-3)") {
    CHECK_THROWS_AS(Failure::current(), RuntimeError);
    try {
        throw std::out_of_range("far");
    } catch (...) {
        const Failure failure = Failure::current();
        CHECK(failure.check<std::out_of_range>());
        CHECK(failure.check<std::logic_error>());
        CHECK(failure.getErrorMessage() == "far");
        CHECK_THROWS_AS(failure.raise(), std::out_of_range);
    }
    try {
        throw 42;
    } catch (...) {
        const Failure failure = Failure::current();
        CHECK(failure.check<int>());
        CHECK_FALSE(failure.check<long>());
        CHECK_FALSE(failure.check<std::exception>());
        CHECK(failure.getErrorMessage() == "int");
        CHECK_THROWS_AS(failure.raise(), int);
    }
    CHECK_THROWS_AS(Failure::current(), RuntimeError);
}

TEST_CASE("a captured Failure outlives its catch clause") {
    std::unique_ptr<Failure> kept;
    try {
        throw ValueError("kept");
    } catch (...) {
        kept = std::make_unique<Failure>(Failure::current());
    }
    CHECK(kept->getErrorMessage() == "kept");
    CHECK(kept->value<ValueError>() != nullptr);
}

TEST_CASE("copies, also those moved from, hold the same error") {
    Failure a = ValueError("a");
    const Failure b = a;
    CHECK(a == b);
    const Failure c = std::move(a);
    CHECK(c == b);
    CHECK(a == b);  // NOLINT: a Failure is never empty
    Failure d = ValueError("a");
    CHECK_FALSE(d == b);
    d = b;
    CHECK(d == b);
    const Failure& self = d;
    d = self;
    CHECK(d.getErrorMessage() == "a");
}

TEST_CASE("failureOf gives one shared Failure a type") {
    CHECK(failureOf<ConnectionDone>() == failureOf<ConnectionDone>());
    CHECK(failureOf<ConnectionDone>().check<ConnectionDone>());
    CHECK(failureOf<ConnectionDone>().getErrorMessage() == "Connection was closed cleanly.");
}

TEST_CASE("the text names type and message (PY-5)") {
    const Failure failure = ConnectionLost("reset");
    CHECK(failure.typeName() == "torsion::ConnectionLost");
    CHECK(failure.getErrorMessage() == "Connection to the other side was lost in a non-clean fashion: reset.");
    CHECK(failure.str() == "[Failure instance: torsion::ConnectionLost: " + failure.getErrorMessage() + "]");
    CHECK(Failure(ValueError("")).getErrorMessage() == "torsion::ValueError");
}
