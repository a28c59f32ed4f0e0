#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/reactor/name_resolver.hpp>

#include "../outcome.hpp"
#include "gate.hpp"
#include "posted_reactor.hpp"

using namespace torsion;
using test::Outcome;
using test::PostedReactor;

namespace {

using Addresses = std::vector<Address>;

}  // namespace

TEST_CASE("names are looked up on a thread and answered on the reactor's (HE-1, TH-3)") {
    PostedReactor reactor;
    std::thread::id thread;
    GAIResolver resolver(reactor, [&](const std::string& host, std::uint16_t port) {
        thread = std::this_thread::get_id();
        CHECK(host == "host");
        return Addresses{IPv4Address("192.0.2.1", port)};
    });
    const Outcome outcome(resolver.resolveHostName("host", 80));
    CHECK_FALSE(outcome.fired());
    REQUIRE(reactor.runPostedUntil([&] { return outcome.fired(); }));
    CHECK(outcome.value() == Addresses{IPv4Address("192.0.2.1", 80)});
    CHECK(thread != std::this_thread::get_id());
    CHECK(reactor.getDelayedCalls().empty());
}

TEST_CASE("a name beyond ASCII is looked up by its A-label (HE-1)") {
    PostedReactor reactor;
    GAIResolver resolver(reactor, [](const std::string& host, std::uint16_t port) {
        return host == "xn--bcher-kva.example" ? Addresses{IPv4Address("192.0.2.1", port)} : Addresses{};
    });
    const Outcome outcome(
        resolver.resolveHostName("b\xc3\xbc"
                                 "cher.example",
                                 80));
    REQUIRE(reactor.runPostedUntil([&] { return outcome.fired(); }));
    CHECK(outcome.value() == Addresses{IPv4Address("192.0.2.1", 80)});
}

TEST_CASE("the system knows localhost (HE-1)") {
    PostedReactor reactor;
    GAIResolver resolver(reactor);
    const Outcome outcome(resolver.resolveHostName("localhost", 80));
    REQUIRE(reactor.runPostedUntil([&] { return outcome.fired(); }));
    REQUIRE(outcome.ok());
    bool loopback = false;
    for (const Address& address : outcome.value()) {
        CHECK(address.port() == 80);
        loopback = loopback || address.host() == "127.0.0.1" || address.host() == "::1";
    }
    CHECK(loopback);
}

TEST_CASE("what the look-up throws is DNSLookupError with the name; so is an empty answer (HE-1)") {
    PostedReactor reactor;
    GAIResolver resolver(reactor, [](const std::string& host, std::uint16_t) -> Addresses {
        if (host == "empty") return {};
        throw RuntimeError("broken");
    });
    const Outcome broken(resolver.resolveHostName("host", 80));
    const Outcome empty(resolver.resolveHostName("empty", 80));
    REQUIRE(reactor.runPostedUntil([&] { return broken.fired() && empty.fired(); }));
    REQUIRE(broken.failed<DNSLookupError>());
    CHECK(broken.text() == "DNS lookup failed: 'host': broken.");
    REQUIRE(empty.failed<DNSLookupError>());
    CHECK(empty.text().find("'empty'") != std::string::npos);
}

TEST_CASE("a cancelled look-up fails with CancelledError, and its answer is dropped (HE-6)") {
    PostedReactor reactor;
    Gate gate;
    {
        GAIResolver resolver(reactor, [&](const std::string&, std::uint16_t port) {
            gate.arrive();
            gate.wait();
            return Addresses{IPv4Address("192.0.2.1", port)};
        });
        const Deferred<Addresses> result = resolver.resolveHostName("host", 80);
        const Outcome outcome(result);
        gate.waitForArrivals(1);
        result.cancel();
        CHECK(outcome.failed<defer::CancelledError>());
        CHECK(reactor.getDelayedCalls().empty());
        gate.open();
    }  // joins the thread
    CHECK(reactor.posted() == 0);
}

TEST_CASE("a look-up that takes too long fails, and its late answer is dropped (HE-1)") {
    PostedReactor reactor;
    Gate gate;
    {
        GAIResolver resolver(reactor, [&](const std::string&, std::uint16_t port) {
            gate.wait();
            return Addresses{IPv4Address("192.0.2.1", port)};
        });
        const Outcome outcome(resolver.resolveHostName("host", 80));
        reactor.advance(GAIResolver::kDefaultTimeout - Duration(1));
        CHECK_FALSE(outcome.fired());
        reactor.advance(Duration(1));
        REQUIRE(outcome.failed<DNSLookupError>());
        CHECK(outcome.text().find("'host': no answer in time") != std::string::npos);
        gate.open();
    }
    CHECK(reactor.posted() == 0);
}

TEST_CASE("an answer that comes after the reactor is dropped, and what waited is freed (TH-3)") {
    Gate gate;
    auto token = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = token;
    std::unique_ptr<GAIResolver> resolver;
    {
        PostedReactor reactor;
        resolver = std::make_unique<GAIResolver>(reactor, [&](const std::string&, std::uint16_t port) {
            gate.arrive();
            gate.wait();
            return Addresses{IPv4Address("192.0.2.1", port)};
        });
        resolver->resolveHostName("host", 80).addBoth([token = std::move(token)](const defer::Result<Addresses>&) {});
        gate.waitForArrivals(1);
    }
    CHECK(watched.expired());
    gate.open();
    resolver.reset();
}

TEST_CASE("a posted answer that is never run frees what it holds with the reactor (TH-3)") {
    PostedReactor reactor;
    GAIResolver resolver(
        reactor, [](const std::string&, std::uint16_t port) { return Addresses{IPv4Address("192.0.2.1", port)}; });
    const Outcome outcome(resolver.resolveHostName("host", 80));
    while (reactor.posted() == 0) std::this_thread::yield();
    CHECK_FALSE(outcome.fired());
}

TEST_CASE("a stuck look-up holds up the end for kShutdownPatience and no longer (TH-6)") {
    testing::MemoryReactor reactor;
    const auto gate = std::make_shared<Gate>();  // the thread outlives the resolver
    const auto begin = std::chrono::steady_clock::now();
    {
        GAIResolver resolver(reactor, [gate](const std::string&, std::uint16_t) {
            gate->arrive();
            gate->wait();
            gate->leave();
            return Addresses{};
        });
        resolver.resolveHostName("host", 80);
        gate->waitForArrivals(1);
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= GAIResolver::kShutdownPatience);
    CHECK(took < GAIResolver::kShutdownPatience * 10);
    gate->open();
    gate->waitForLeavers(1);
}

TEST_CASE("several names are looked up at the same time (TH-7)") {
    PostedReactor reactor;
    Gate gate;
    GAIResolver resolver(reactor, [&](const std::string& host, std::uint16_t port) {
        if (host != "quick") gate.wait();
        return Addresses{IPv4Address("192.0.2.1", port)};
    });
    std::vector<Outcome<Addresses>> slow;
    for (std::size_t i = 1; i < GAIResolver::kThreads; ++i) slow.emplace_back(resolver.resolveHostName("slow", 80));
    const Outcome quick(resolver.resolveHostName("quick", 80));
    CHECK(reactor.runPostedUntil([&] { return quick.fired(); }));
    CHECK_FALSE(slow.front().fired());
    gate.open();
    CHECK(reactor.runPostedUntil([&] {
        for (const auto& one : slow) {
            if (!one.fired()) return false;
        }
        return true;
    }));
}
