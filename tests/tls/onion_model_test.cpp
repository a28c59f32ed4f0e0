#include <doctest/doctest.h>

#include <cstdlib>

#include <torsion/tests/tls/onion_model.hpp>

using torsion::test::Script;

namespace {

/// Of the environment, or @p otherwise.
unsigned long number(const char* name, unsigned long otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

std::string faultsOf(const Script& script) {
    std::string text;
    for (const std::string& fault : torsion::test::runModel(script)) text += fault + "\n  ";
    return text;
}

}  // namespace

// TORSION_TEST_SEED repeats a run, TORSION_TEST_RUNS asks for more of them, and TORSION_TEST_SCRIPT runs one script as
// it is printed.
TEST_CASE(
    "whatever two ends do, each octet comes once, in its order and in its layer, and all ends are told (TLS-23)") {
    if (const char* const text = std::getenv("TORSION_TEST_SCRIPT")) {
        CHECK(faultsOf(torsion::test::scriptOf(text)) == "");
        return;
    }
    const unsigned long runs = number("TORSION_TEST_RUNS", 3000);
    const auto first = static_cast<std::uint32_t>(number("TORSION_TEST_SEED", 1));
    MESSAGE("TORSION_TEST_SEED=", first, " TORSION_TEST_RUNS=", runs);
    for (unsigned long run = 0; run < runs; ++run) {
        const std::uint32_t seed = first + static_cast<std::uint32_t>(run);
        const Script script = torsion::test::randomScript(seed);
        if (torsion::test::runModel(script).empty()) continue;
        const Script shorter = torsion::test::shrink(script);
        FAIL("seed ", seed, "\n  TORSION_TEST_SCRIPT='", torsion::test::toText(shorter), "'\n  ", faultsOf(shorter));
    }
}
