#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/reactor/name_resolver.hpp>
#include <torsion/testing/memory_reactor.hpp>

#include "../outcome.hpp"

using namespace torsion;
using test::Outcome;
using testing::MemoryReactor;

namespace {

/// A resolver whose look-ups must not begin.
GAIResolver::Lookup never() {
    return [](const std::string&, std::uint16_t) -> std::vector<Address> { throw RuntimeError("a thread was asked"); };
}

}  // namespace

TEST_CASE("literals are answered at once, without a thread (HE-1)") {
    MemoryReactor reactor;
    GAIResolver resolver(reactor, never());
    const Outcome four(resolver.resolveHostName("192.0.2.1", 80));
    CHECK(four.value() == std::vector<Address>{IPv4Address("192.0.2.1", 80)});
    const Outcome six(resolver.resolveHostName("2001:db8::1", 81));
    CHECK(six.value() == std::vector<Address>{IPv6Address("2001:db8::1", 81)});
    CHECK(reactor.getDelayedCalls().empty());
}

TEST_CASE("a scope that does not exist is DNSLookupError (HE-1)") {
    MemoryReactor reactor;
    GAIResolver resolver(reactor, never());
    CHECK(Outcome(resolver.resolveHostName("fe80::1%nosuchinterface", 80)).failed<DNSLookupError>());
}

TEST_CASE("an impossible name is DNSLookupError that shows it, without a thread (HE-1)") {
    MemoryReactor reactor;
    GAIResolver resolver(reactor, never());
    for (const std::string bad : {"", "a..b", "a b", "\xe2\x98\x83.example"}) {
        CAPTURE(bad);
        const Outcome outcome(resolver.resolveHostName(bad, 80));
        REQUIRE(outcome.failed<DNSLookupError>());
        CHECK(outcome.text().find('\'' + bad + '\'') != std::string::npos);
    }
}

TEST_CASE("timeouts of a resolver are positive (HE-1)") {
    MemoryReactor reactor;
    GAIResolver resolver(reactor);
    CHECK(resolver.timeout() == GAIResolver::kDefaultTimeout);
    CHECK_THROWS_AS(resolver.setTimeout(Duration::zero()), ValueError);
    resolver.setTimeout(std::chrono::seconds(3));
    CHECK(resolver.timeout() == std::chrono::seconds(3));
}
