#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/error.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/transports/connect_protocol.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/tcp_endpoints.hpp>

#include "../outcome.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;
using namespace std::chrono_literals;

namespace {

using Events = std::vector<std::string>;

class Recorder : public Protocol {
public:
    void connectionMade() override {
        events.push_back("made");
        if (onMade) onMade();
    }
    void connectionLost(const Failure& reason) override { events.push_back("lost " + reason.typeName()); }

    Events events;
    Function<void()> onMade;
};

class CountingFactory : public Factory {
public:
    explicit CountingFactory(Function<std::shared_ptr<Protocol>()> build) : build_(std::move(build)) { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return build_(); }
    void doStart() override {
        ++starts;
        Factory::doStart();
    }
    void doStop() override {
        ++stops;
        Factory::doStop();
    }
    int starts = 0;
    int stops = 0;

private:
    Function<std::shared_ptr<Protocol>()> build_;
};

/// Builds @p protocol, once: the protocol will hold the factory.
auto recording(std::shared_ptr<Recorder> protocol) {
    return std::make_shared<CountingFactory>([protocol]() mutable { return std::exchange(protocol, nullptr); });
}

auto connecting(MemoryReactor& reactor, std::shared_ptr<Factory> factory) {
    return TCP4ClientEndpoint(reactor, "127.0.0.1", 8000).connectFactory(std::move(factory));
}

/// A recipe that is only handed on.
class NoRecipe final : public ssl::ContextFactory, public std::enable_shared_from_this<NoRecipe> {
public:
    std::shared_ptr<const ContextFactory> share() const override { return shared_from_this(); }
    std::unique_ptr<ssl::Session> newSession(ssl::Role, const ssl::SessionOptions&) const override { return nullptr; }
    Duration handshakeTimeout() const override { return 1s; }
    Duration closeTimeout() const override { return 1s; }
};

}  // namespace

TEST_CASE("connect fires after connectionMade has returned, with the user's own protocol (EP-1)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    bool firedInside = false;
    Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    protocol->onMade = [&] { firedInside = result.called(); };
    const Outcome outcome(result);
    CHECK_FALSE(outcome.fired());
    reactor.connectors.back()->succeed();
    CHECK(outcome.value() == protocol);
    CHECK_FALSE(firedInside);
    CHECK(protocol->events == Events{"made"});
    CHECK(protocol->factory() != nullptr);
    reactor.connectors.back()->lose(failureOf<ConnectionDone>());
    reactor.flush();
    CHECK(protocol->events == Events{"made", "lost torsion::ConnectionDone"});
}

TEST_CASE("connect with forProtocol gives the protocol's own type (EP-1)") {
    MemoryReactor reactor;
    TCP4ClientEndpoint endpoint(reactor, "127.0.0.1", 8000);
    Deferred<std::shared_ptr<Recorder>> result = endpoint.connect(Factory::forProtocol<Recorder>());
    const Outcome outcome(result);
    reactor.connectors.back()->succeed();
    CHECK(outcome.value()->events == Events{"made"});
}

TEST_CASE("arguments of the attempt reach the reactor, and the endpoint may be gone by then (EP-5)") {
    MemoryReactor reactor;
    Deferred<std::shared_ptr<Protocol>> result;
    {
        TCP4ClientEndpoint endpoint(reactor, "example.com", 443, 7s, IPv4Address("127.0.0.9", 0));
        result = endpoint.connectFactory(Factory::forProtocol<Recorder>());
    }
    CHECK(reactor.tcpClients.back().host == "example.com");
    CHECK(reactor.tcpClients.back().port == 443);
    CHECK(reactor.tcpClients.back().timeout == 7s);
    CHECK(reactor.tcpClients.back().bindAddress == IPv4Address("127.0.0.9", 0));
    const Outcome outcome(result);
    reactor.connectors.back()->succeed();
    CHECK(outcome.ok());
}

TEST_CASE("a connection that is not made fails the Deferred with the reason (EP-4)") {
    MemoryReactor reactor;
    const Outcome outcome(connecting(reactor, recording(std::make_shared<Recorder>())));
    reactor.connectors.back()->fail(failureOf<ConnectionRefusedError>());
    CHECK(outcome.failed<ConnectionRefusedError>());
}

TEST_CASE("cancel while connecting gives up the attempt with ConnectingCancelledError (EP-2)") {
    MemoryReactor reactor;
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(std::make_shared<Recorder>()));
    const Outcome outcome(result);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(outcome.text().find("IPv4Address(TCP, '127.0.0.1', 8000)") != std::string::npos);
    CHECK(reactor.connectors.back()->stops() == 1);
}

TEST_CASE("cancel after success has no effect (EP-2)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    const Outcome outcome(result);
    const auto transport = reactor.connectors.back()->succeed();
    result.cancel();
    CHECK(outcome.ok());
    CHECK_FALSE(transport->disconnecting());
}

TEST_CASE("cancel from inside connectionMade closes the connection (EP-2)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    protocol->onMade = [&] { result.cancel(); };
    const Outcome outcome(result);
    const auto transport = reactor.connectors.back()->succeed();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(transport->disconnecting());
}

TEST_CASE("a factory that builds nothing fails the Deferred with NoProtocol (EP-3)") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<CountingFactory>([] { return nullptr; });
    const Outcome outcome(connecting(reactor, factory));
    reactor.connectors.back()->succeed();
    CHECK(outcome.failed<NoProtocol>());
    reactor.flush();
    CHECK(factory->stops == 1);
}

TEST_CASE("what buildProtocol throws fails the Deferred (EP-3)") {
    MemoryReactor reactor;
    const auto factory =
        std::make_shared<CountingFactory>([]() -> std::shared_ptr<Protocol> { throw ValueError("no protocol today"); });
    const Outcome outcome(connecting(reactor, factory));
    testing::LoggedErrors logged;
    reactor.connectors.back()->succeed();
    CHECK(logged.flush<ValueError>().size() <= 1);
    CHECK(logged.size() == 0);
    CHECK(outcome.failed<ValueError>());
    CHECK(outcome.text() == "no protocol today");
}

TEST_CASE("what connectionMade throws fails the Deferred, and the connection ends with it (CL-4, D11)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    protocol->onMade = [] { throw ValueError("not me"); };
    const auto factory = recording(protocol);
    const Outcome outcome(connecting(reactor, factory));
    testing::LoggedErrors logged;
    reactor.connectors.back()->succeed();
    reactor.flush();
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(outcome.failed<ValueError>());
    CHECK(protocol->events == Events{"made", "lost torsion::ValueError"});
    CHECK(factory->stops == 1);
}

TEST_CASE("wrong arguments come through the Deferred (EP-4)") {
    MemoryReactor reactor;
    const auto factory = recording(std::make_shared<Recorder>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 65536).connectFactory(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", -1).connectFactory(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "", 80).connectFactory(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 80, 0s).connectFactory(factory)).failed<ValueError>());
    CHECK(Outcome(TCP6ClientEndpoint(reactor, "h", 65536).connectFactory(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 80).connectFactory(nullptr)).failed<TypeError>());
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 65536).listen(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 80, -1).listen(factory)).failed<ValueError>());
    CHECK(Outcome(TCP6ServerEndpoint(reactor, -1).listen(factory)).failed<ValueError>());
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 80).listen(nullptr)).failed<TypeError>());
    CHECK(reactor.connectors.empty());
    CHECK(reactor.ports.empty());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 65535).connectFactory(factory)).fired() == false);
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 0).listen(factory)).ok());
}

TEST_CASE("what the reactor throws comes through the Deferred (EP-4)") {
    testing::RaisingMemoryReactor reactor(CannotListenError("", 80, EADDRINUSE), ConnectBindError("no"));
    const auto factory = recording(std::make_shared<Recorder>());
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 80).listen(factory)).failed<CannotListenError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 80).connectFactory(factory)).failed<ConnectBindError>());
}

TEST_CASE("an endpoint may be used many times; each listen makes a new port (EP-5)") {
    MemoryReactor reactor;
    TCP4ServerEndpoint server(reactor, 8000, 7, "127.0.0.1");
    const Outcome first(server.listen(Factory::forProtocol<Recorder>()));
    const Outcome second(server.listen(Factory::forProtocol<Recorder>()));
    CHECK(first.value() != second.value());
    CHECK(reactor.tcpServers[1].port == 8000);
    CHECK(reactor.tcpServers[1].backlog == 7);
    CHECK(reactor.tcpServers[1].interface == "127.0.0.1");

    TCP4ClientEndpoint client(reactor, "127.0.0.1", 8000);
    const Outcome one(client.connect(Factory::forProtocol<Recorder>()));
    const Outcome two(client.connect(Factory::forProtocol<Recorder>()));
    reactor.connectors[1]->succeed();
    CHECK_FALSE(one.fired());
    CHECK(two.ok());
    reactor.connectors[0]->succeed();
    CHECK(one.value() != two.value());
}

TEST_CASE("a TCP6 server listens on :: unless told otherwise (EP-5) (EN-1)") {
    MemoryReactor reactor;
    TCP6ServerEndpoint(reactor, 1).listen(Factory::forProtocol<Recorder>());
    CHECK(reactor.tcpServers.back().interface == "::");
    CHECK(reactor.tcpServers.back().backlog == 50);
}

TEST_CASE("doStart and doStop reach the user's factory once an attempt (EP-6)") {
    MemoryReactor reactor;
    const auto factory = recording(std::make_shared<Recorder>());
    const Outcome outcome(connecting(reactor, factory));
    CHECK(factory->starts == 1);
    CHECK(factory->numPorts() == 1);
    reactor.connectors.back()->succeed();
    CHECK(factory->stops == 0);
    reactor.connectors.back()->lose(failureOf<ConnectionDone>());
    reactor.flush();
    CHECK(factory->stops == 1);
    const Outcome again(connecting(reactor, factory));
    reactor.connectors.back()->fail(failureOf<NoRouteError>());
    CHECK(factory->starts == 2);
    CHECK(factory->stops == 2);
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("nothing stands between transport and protocol, so every ability is found (EP-1) (IF-3)") {
    class Able : public Recorder, public HalfCloseableProtocol, public HandshakeListener {
        void readConnectionLost() override {}
        void writeConnectionLost() override {}
        void handshakeCompleted() override {}
    };
    MemoryReactor reactor;
    const Outcome outcome(connecting(reactor, recording(std::make_shared<Able>())));
    reactor.connectors.back()->succeed();
    CHECK(outcome.value()->provides<HalfCloseableProtocol>() != nullptr);
    CHECK(outcome.value()->provides<HandshakeListener>() != nullptr);
}

TEST_CASE("connectProtocol fires with that same protocol (EP-1) (EN-2)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    std::weak_ptr<Factory> factory;
    {
        Deferred<std::shared_ptr<Recorder>> result =
            connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 8000), protocol);
        const Outcome outcome(result);
        reactor.connectors.back()->succeed();
        CHECK(outcome.value() == protocol);
        factory = protocol->factory();
    }
    reactor.connectors.back()->lose(failureOf<ConnectionDone>());
    reactor.flush();
    reactor.connectors.clear();
    reactor.tcpClients.clear();
    CHECK(protocol.use_count() == 1);
}

TEST_CASE("neither an attempt nor its protocol is kept by a result that nobody took (EP-1)") {
    std::weak_ptr<Recorder> watched;
    {
        MemoryReactor reactor;
        auto protocol = std::make_shared<Recorder>();
        watched = protocol;
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 8000), std::move(protocol));
        reactor.connectors.back()->succeed();
        CHECK_FALSE(watched.expired());
        reactor.connectors.back()->lose(failureOf<ConnectionDone>());
        reactor.flush();
    }
    CHECK(watched.expired());
}

TEST_CASE("a TCP6 client looks a name up and takes its first IPv6 address (EP-1)") {
    MemoryReactor reactor;
    reactor.memoryResolver().names["host"] = {"127.0.0.1", "::1", "::2"};
    reactor.memoryResolver().names["old"] = {"127.0.0.1"};
    const auto factory = recording(std::make_shared<Recorder>());
    const Outcome outcome(TCP6ClientEndpoint(reactor, "host", 80, 3s).connectFactory(factory));
    CHECK(reactor.tcpClients.back().host == "::1");
    CHECK(reactor.tcpClients.back().timeout == 3s);
    reactor.connectors.back()->succeed();
    CHECK(outcome.ok());
    const Outcome none(TCP6ClientEndpoint(reactor, "old", 80).connectFactory(factory));
    CHECK(none.failed<DNSLookupError>());
    CHECK(none.text().find("'old'") != std::string::npos);
}

TEST_CASE("cancelling a TCP6 client's look-up is ConnectingCancelledError, too (EP-2)") {
    MemoryReactor reactor;
    reactor.memoryResolver().open = true;
    const Deferred<std::shared_ptr<Protocol>> result =
        TCP6ClientEndpoint(reactor, "host", 80).connectFactory(recording(std::make_shared<Recorder>()));
    const Outcome outcome(result);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(outcome.text().find("HostnameAddress('host', 80)") != std::string::npos);
}

TEST_CASE("SSL endpoints hand on their recipe with the rest (EP-5)") {
    MemoryReactor reactor;
    const auto recipe = std::make_shared<const NoRecipe>();
    const Outcome listening(
        SSL4ServerEndpoint(reactor, 443, *recipe, 9, "127.0.0.1").listen(Factory::forProtocol<Recorder>()));
    CHECK(listening.ok());
    CHECK(reactor.sslServers.back().options == recipe);
    CHECK(reactor.sslServers.back().backlog == 9);
    SSL4ClientEndpoint endpoint(reactor, "localhost", 443, *recipe, 5s);
    const Outcome connected(endpoint.connect(Factory::forProtocol<Recorder>()));
    CHECK(reactor.sslClients.back().options == recipe);
    CHECK(reactor.sslClients.back().timeout == 5s);
    reactor.connectors.back()->succeed();
    CHECK(connected.ok());
}

TEST_CASE("names beyond ASCII are looked up by their A-labels (HE-1)") {
    CHECK(asciiHostname("Localhost") == "Localhost");
    CHECK(asciiHostname("::1") == "::1");
    CHECK(asciiHostname("B\xc3\x9c"
                        "cher.example.") == "xn--bcher-kva.example.");
    CHECK(asciiHostname("_dmarc.fa\xc3\x9f.example") == "_dmarc.xn--fa-hia.example");
    // Full-width digits, which the mapping makes ASCII's.
    CHECK_THROWS_AS(asciiHostname("\xef\xbc\x91.2.3.4"), ValueError);
}

TEST_CASE("host names are checked before anybody is asked (HE-1)") {
    CHECK_NOTHROW(checkHostname("localhost"));
    CHECK_NOTHROW(checkHostname("a.example."));
    CHECK_NOTHROW(checkHostname("my_host-1.Example"));
    CHECK_NOTHROW(checkHostname("::1"));
    CHECK_NOTHROW(checkHostname("xn--bcher-kva.example"));
    CHECK_NOTHROW(checkHostname(std::string(63, 'x')));
    std::string longest;
    for (int i = 0; i < 126; ++i) longest += "a.";
    CHECK_NOTHROW(checkHostname(longest + "a"));
    CHECK_NOTHROW(checkHostname(longest + "a."));
    CHECK_THROWS_AS(checkHostname(longest + "aa"), ValueError);
    for (const char* bad :
         {"", ".", "-a", "a-", "a..b", "a b", ".a", "\xe2\x98\x83.example", "\xff.example", "*.x", "a\nb", "a:b"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(checkHostname(bad), ValueError);
    }
    CHECK_THROWS_AS(checkHostname(std::string(64, 'x')), ValueError);
    CHECK_THROWS_WITH(checkHostname("\xe2\x98\x83.example"),
                      "invalid hostname: '\xe2\x98\x83.example': it is no internationalized name: string contains a "
                      "disallowed character");
    CHECK_THROWS_WITH(checkHostname("a\nb"), "invalid hostname: 'a\\x0ab' has a character that host names cannot have");
}
