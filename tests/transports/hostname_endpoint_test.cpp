#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/transports/connection_race.hpp>
#include <torsion/transports/hostname_endpoint.hpp>

#include "../outcome.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;
using namespace std::chrono_literals;

namespace {

class Quiet : public Protocol {};

auto quiet() {
    auto factory = Factory::forProtocol<Quiet>();
    factory->noisy = false;
    return factory;
}

class Hosts {
public:
    explicit Hosts(std::optional<Failure> refusal = std::nullopt) : reactor(std::nullopt, std::move(refusal)) {
        reactor.memoryResolver().names["host"] = {"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"};
    }

    Deferred<std::shared_ptr<Protocol>> connect(Duration timeout = 30s, Duration delay = 300ms) {
        return HostnameEndpoint(reactor, "host", 80, timeout, Address(), delay).connectFactory(quiet());
    }
    std::vector<std::string> tried() const {
        std::vector<std::string> hosts;
        for (const auto& client : reactor.tcpClients) hosts.push_back(client.host);
        return hosts;
    }

    testing::RaisingMemoryReactor reactor;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the name is looked up once; without an address it is DNSLookupError with the name (HE-1)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect());
    CHECK(hosts.reactor.memoryResolver().lookups == Names{"host"});
    hosts.reactor.memoryResolver().open = true;
    const Outcome unknown(HostnameEndpoint(hosts.reactor, "nobody", 80).connectFactory(quiet()));
    hosts.reactor.memoryResolver().pending.at(0).callback({});
    CHECK(unknown.failed<DNSLookupError>());
    CHECK(unknown.text().find("'nobody'") != std::string::npos);
}

TEST_CASE("a resolver's failure surfaces as DNSLookupError with the name (HE-1)") {
    Hosts hosts;
    hosts.reactor.memoryResolver().open = true;
    const Outcome outcome(hosts.connect());
    hosts.reactor.memoryResolver().pending[0].errback(RuntimeError("no name server"));
    CHECK(outcome.failed<DNSLookupError>());
    CHECK(outcome.text() == "DNS lookup failed: 'host': no name server.");
}

TEST_CASE("an invalid name is a ValueError from connect, not from the constructor (HE-1)") {
    MemoryReactor reactor;
    HostnameEndpoint endpoint(reactor, "a..b", 80);
    const Outcome outcome(endpoint.connectFactory(quiet()));
    CHECK(outcome.failed<ValueError>());
    CHECK(outcome.text().find("'a..b'") != std::string::npos);
    CHECK(reactor.memoryResolver().lookups.empty());
}

TEST_CASE("the families take turns, beginning with the first address's (HE-2, D17)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect());
    hosts.reactor.pump({300ms, 300ms, 300ms});
    CHECK(hosts.tried() == Names{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"});
    const std::vector<Address> lopsided{IPv4Address("192.0.2.1", 1), IPv4Address("192.0.2.2", 1),
                                        IPv4Address("192.0.2.3", 1), IPv6Address("::1", 1)};
    const std::vector<Address> expected{lopsided[0], lopsided[3], lopsided[1], lopsided[2]};
    CHECK(endpoints::detail::interleaved(lopsided) == expected);
    CHECK(endpoints::detail::interleaved({}).empty());
}

TEST_CASE("the first address is tried at once, then one more each attemptDelay (HE-2)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect(30s, 250ms));
    CHECK(hosts.tried().size() == 1);
    hosts.reactor.advance(249ms);
    CHECK(hosts.tried().size() == 1);
    hosts.reactor.advance(1ms);
    CHECK(hosts.tried().size() == 2);
    hosts.reactor.advance(250ms);
    CHECK(hosts.tried().size() == 3);
    CHECK_FALSE(outcome.fired());
    CHECK(HostnameEndpoint::kDefaultAttemptDelay == 300ms);
}

TEST_CASE("a failed attempt starts the next one at once, which then has the whole delay (HE-3, D17)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect());
    hosts.reactor.advance(100ms);
    hosts.reactor.connectors.back()->fail(failureOf<NoRouteError>());
    CHECK(hosts.tried().size() == 2);
    hosts.reactor.advance(299ms);
    CHECK(hosts.tried().size() == 2);
    hosts.reactor.advance(1ms);
    CHECK(hosts.tried().size() == 3);
    CHECK_FALSE(outcome.fired());
}

TEST_CASE("each attempt has the whole timeout (HE-4)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect(7s));
    hosts.reactor.advance(300ms);
    for (const auto& client : hosts.reactor.tcpClients) CHECK(client.timeout == 7s);
}

TEST_CASE("the first connection wins and the other attempts are given up (HE-4)") {
    Hosts hosts;
    const Outcome outcome(hosts.connect());
    hosts.reactor.pump({300ms, 300ms});
    hosts.reactor.connectors[1]->succeed();
    CHECK(outcome.ok());
    CHECK(hosts.reactor.connectors[0]->stops() == 1);
    CHECK(hosts.reactor.connectors[1]->stops() == 0);
    CHECK(hosts.reactor.connectors[2]->stops() == 1);
    hosts.reactor.advance(10s);
    CHECK(hosts.tried().size() == 3);
    CHECK(hosts.reactor.getDelayedCalls().empty());
}

TEST_CASE("if all fail the error comes at once, lists each address, and has the type of the last (HE-5, D17)") {
    Hosts hosts;
    hosts.reactor.memoryResolver().names["host"] = {"2001:db8::1", "192.0.2.1"};
    const Outcome outcome(hosts.connect());
    hosts.reactor.connectors.back()->fail(failureOf<NoRouteError>());
    CHECK_FALSE(outcome.fired());
    hosts.reactor.connectors.back()->fail(failureOf<ConnectionRefusedError>());
    REQUIRE(outcome.failed<ConnectionRefusedError>());
    CHECK(outcome.text() ==
          "Connection was refused by other side: host:80 (2001:db8::1: No route to host; "
          "192.0.2.1: Connection was refused by other side).");
    const auto* list = outcome.failure().value<UnreachableHost>();
    REQUIRE(list != nullptr);
    REQUIRE(list->attempts().size() == 2);
    CHECK(list->attempts()[0].address == IPv6Address("2001:db8::1", 80));
    CHECK(list->attempts()[0].reason.check<NoRouteError>());
    CHECK(hosts.reactor.getDelayedCalls().empty());
}

TEST_CASE("a timeout as the last failure is a TimeoutError, and so a UserError (HE-5)") {
    Hosts hosts;
    hosts.reactor.memoryResolver().names["host"] = {"192.0.2.1"};
    const Outcome outcome(hosts.connect());
    hosts.reactor.connectors.back()->fail(TimeoutError());
    CHECK(outcome.failed<TimeoutError>());
    CHECK(outcome.failed<UserError>());
}

TEST_CASE("cancel while connecting gives up all attempts, with ConnectingCancelledError (HE-6)") {
    Hosts hosts;
    const Deferred<std::shared_ptr<Protocol>> result = hosts.connect();
    const Outcome outcome(result);
    hosts.reactor.advance(300ms);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(outcome.text().find("HostnameAddress('host', 80)") != std::string::npos);
    CHECK(hosts.reactor.connectors[0]->stops() == 1);
    CHECK(hosts.reactor.connectors[1]->stops() == 1);
    hosts.reactor.flush();
    CHECK(hosts.reactor.leftBehind().empty());
}

TEST_CASE("cancel during the look-up is ConnectingCancelledError, too (HE-6, D17)") {
    Hosts hosts;
    hosts.reactor.memoryResolver().open = true;
    const Deferred<std::shared_ptr<Protocol>> result = hosts.connect();
    const Outcome outcome(result);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(hosts.reactor.memoryResolver().pending[0].called());
    CHECK(hosts.reactor.connectors.empty());
}

TEST_CASE("an error of the application's own ends the race: the host was reached (HE-5, D11)") {
    class Refusing : public Factory {
        std::shared_ptr<Protocol> buildProtocol(const Address&) override { throw ValueError("mine"); }
    };
    Hosts hosts;
    const Outcome outcome(HostnameEndpoint(hosts.reactor, "host", 80).connectFactory(std::make_shared<Refusing>()));
    hosts.reactor.advance(300ms);
    hosts.reactor.connectors[0]->succeed();
    CHECK(outcome.failed<ValueError>());
    CHECK(outcome.text() == "mine");
    CHECK(hosts.reactor.connectors[1]->stops() == 1);
    CHECK(hosts.tried().size() == 2);
}

TEST_CASE("wrong arguments come through the Deferred (HE-1, EP-4)") {
    MemoryReactor reactor;
    CHECK(Outcome(HostnameEndpoint(reactor, "h", 65536).connectFactory(quiet())).failed<ValueError>());
    CHECK(Outcome(HostnameEndpoint(reactor, "h", 1, 0s).connectFactory(quiet())).failed<ValueError>());
    CHECK(Outcome(HostnameEndpoint(reactor, "h", 1).connectFactory(nullptr)).failed<TypeError>());
    CHECK(Outcome(HostnameEndpoint(reactor, "h", 1, 1s, Address(), 9ms).connectFactory(quiet())).failed<ValueError>());
    reactor.memoryResolver().names["h"] = {"192.0.2.1"};
    CHECK_FALSE(Outcome(HostnameEndpoint(reactor, "h", 1, 1s, Address(), 10ms).connectFactory(quiet())).fired());
}

TEST_CASE("a refusal inside the call itself moves on to the next address (HE-3)") {
    Hosts hosts(ConnectBindError("no"));
    const Outcome outcome(hosts.connect());
    CHECK(outcome.failed<ConnectBindError>());
    CHECK(outcome.failure().value<UnreachableHost>()->attempts().size() == 4);
}

TEST_CASE("a race leaves nothing behind, also if the reactor dies in the middle (HE-4)") {
    std::weak_ptr<Factory> watched;
    {
        Hosts hosts;
        auto factory = quiet();
        watched = factory;
        const Outcome outcome(HostnameEndpoint(hosts.reactor, "host", 80).connectFactory(std::move(factory)));
        hosts.reactor.advance(300ms);
        CHECK_FALSE(outcome.fired());
    }
    CHECK(watched.expired());
}

TEST_CASE("str names host and port") {
    MemoryReactor reactor;
    CHECK(HostnameEndpoint(reactor, "example.com", 80).str() == "<HostnameEndpoint example.com:80>");
    CHECK(HostnameEndpoint(reactor, "::1", 80).str() == "<HostnameEndpoint [::1]:80>");
}
