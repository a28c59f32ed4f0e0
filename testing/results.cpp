#include <torsion/testing/results.hpp>

#include <torsion/core/type_name.hpp>

namespace torsion::testing::detail {

void throwNoResult(const char* wanted) {
    throw FailTest(
        std::string(wanted) +
        " was expected, but the Deferred has no result yet. Move the clock, pump the connection, or fire what "
        "it waits for, before asking");
}

void throwUnexpectedFailure(const Failure& failure) {
    throw FailTest("successResultOf: a success was expected, but the Deferred failed: " + failure.str());
}

void throwUnexpectedSuccess() { throw FailTest("failureResultOf: a Failure was expected, but the Deferred succeeded"); }

void throwOtherFailure(const std::string& wanted, const Failure& failure) {
    throw FailTest("failureResultOf: a Failure of type " + wanted + " was expected, but it is " + failure.str());
}

void throwUnexpectedResult(const std::string& found) {
    throw FailTest("assertNoResult: no result was expected yet, but the Deferred has " + found);
}

std::string join(const std::string& sofar, const std::type_info& type) {
    return sofar + (sofar.empty() ? "" : " or ") + typeName(type);
}

}  // namespace torsion::testing::detail
