#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/error.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/transports/connect_protocol.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/tcp_endpoints.hpp>

#include "fake_reactor.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using namespace torsion::fakes;
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

auto connecting(FakeReactor& reactor, std::shared_ptr<Factory> factory) {
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
    FakeReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    bool firedInside = false;
    Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    protocol->onMade = [&] { firedInside = result.called(); };
    const Outcome outcome(result);
    CHECK_FALSE(outcome.fired());
    reactor.last().succeed();
    CHECK(outcome.value() == protocol);
    CHECK_FALSE(firedInside);
    CHECK(protocol->events == Events{"made"});
    CHECK(protocol->factory() != nullptr);
    reactor.last().lose(failureOf<ConnectionDone>());
    CHECK(protocol->events == Events{"made", "lost torsion::ConnectionDone"});
}

TEST_CASE("connect with forProtocol gives the protocol's own type (EP-1)") {
    FakeReactor reactor;
    TCP4ClientEndpoint endpoint(reactor, "127.0.0.1", 8000);
    Deferred<std::shared_ptr<Recorder>> result = endpoint.connect(Factory::forProtocol<Recorder>());
    const Outcome outcome(result);
    reactor.last().succeed();
    CHECK(outcome.value()->events == Events{"made"});
}

TEST_CASE("arguments of the attempt reach the reactor, and the endpoint may be gone by then (EP-5)") {
    FakeReactor reactor;
    Deferred<std::shared_ptr<Protocol>> result;
    {
        TCP4ClientEndpoint endpoint(reactor, "example.com", 443, 7s, IPv4Address("127.0.0.9", 0));
        result = endpoint.connectFactory(Factory::forProtocol<Recorder>());
    }
    CHECK(reactor.last().host == "example.com");
    CHECK(reactor.last().port == 443);
    CHECK(reactor.last().timeout == 7s);
    CHECK(reactor.last().bindAddress == IPv4Address("127.0.0.9", 0));
    const Outcome outcome(result);
    reactor.last().succeed();
    CHECK(outcome.ok());
}

TEST_CASE("a connection that is not made fails the Deferred with the reason (EP-4)") {
    FakeReactor reactor;
    const Outcome outcome(connecting(reactor, recording(std::make_shared<Recorder>())));
    reactor.last().fail(failureOf<ConnectionRefusedError>());
    CHECK(outcome.failed<ConnectionRefusedError>());
}

TEST_CASE("cancel while connecting gives up the attempt with ConnectingCancelledError (EP-2)") {
    FakeReactor reactor;
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(std::make_shared<Recorder>()));
    const Outcome outcome(result);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(outcome.text().find("IPv4Address(TCP, '127.0.0.1', 8000)") != std::string::npos);
    CHECK(reactor.last().stops == 1);
}

TEST_CASE("cancel after success has no effect (EP-2)") {
    FakeReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    const Outcome outcome(result);
    reactor.last().succeed();
    result.cancel();
    CHECK(outcome.ok());
    CHECK_FALSE(reactor.last().transport->disconnecting());
}

TEST_CASE("cancel from inside connectionMade closes the connection (EP-2)") {
    FakeReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    const Deferred<std::shared_ptr<Protocol>> result = connecting(reactor, recording(protocol));
    protocol->onMade = [&] { result.cancel(); };
    const Outcome outcome(result);
    reactor.last().succeed();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(reactor.last().transport->disconnecting());
}

TEST_CASE("a factory that builds nothing fails the Deferred with NoProtocol (EP-3)") {
    FakeReactor reactor;
    const auto factory = std::make_shared<CountingFactory>([] { return nullptr; });
    const Outcome outcome(connecting(reactor, factory));
    reactor.last().succeed();
    CHECK(outcome.failed<NoProtocol>());
    CHECK(factory->stops == 1);
}

TEST_CASE("what buildProtocol throws fails the Deferred (EP-3)") {
    FakeReactor reactor;
    const auto factory =
        std::make_shared<CountingFactory>([]() -> std::shared_ptr<Protocol> { throw ValueError("no protocol today"); });
    const Outcome outcome(connecting(reactor, factory));
    reactor.last().succeed();
    CHECK(outcome.failed<ValueError>());
    CHECK(outcome.text() == "no protocol today");
}

TEST_CASE("what connectionMade throws fails the Deferred, and the connection ends with it (CL-4, D11)") {
    FakeReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    protocol->onMade = [] { throw ValueError("not me"); };
    const auto factory = recording(protocol);
    const Outcome outcome(connecting(reactor, factory));
    reactor.last().succeed();
    CHECK(outcome.failed<ValueError>());
    CHECK(protocol->events == Events{"made", "lost torsion::ValueError"});
    CHECK(factory->stops == 1);
}

TEST_CASE("wrong arguments come through the Deferred (EP-4)") {
    FakeReactor reactor;
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
    CHECK(reactor.attempts.empty());
    CHECK(reactor.ports.empty());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 65535).connectFactory(factory)).fired() == false);
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 0).listen(factory)).ok());
}

TEST_CASE("what the reactor throws comes through the Deferred (EP-4)") {
    FakeReactor reactor;
    reactor.refuse = true;
    const auto factory = recording(std::make_shared<Recorder>());
    CHECK(Outcome(TCP4ServerEndpoint(reactor, 80).listen(factory)).failed<CannotListenError>());
    CHECK(Outcome(TCP4ClientEndpoint(reactor, "h", 80).connectFactory(factory)).failed<ConnectBindError>());
}

TEST_CASE("an endpoint may be used many times; each listen makes a new port (EP-5)") {
    FakeReactor reactor;
    TCP4ServerEndpoint server(reactor, 8000, 7, "127.0.0.1");
    const Outcome first(server.listen(Factory::forProtocol<Recorder>()));
    const Outcome second(server.listen(Factory::forProtocol<Recorder>()));
    CHECK(first.value() != second.value());
    CHECK(reactor.ports[1]->port == 8000);
    CHECK(reactor.ports[1]->backlog == 7);
    CHECK(reactor.ports[1]->interface == "127.0.0.1");

    TCP4ClientEndpoint client(reactor, "127.0.0.1", 8000);
    const Outcome one(client.connect(Factory::forProtocol<Recorder>()));
    const Outcome two(client.connect(Factory::forProtocol<Recorder>()));
    reactor.attempts[1]->succeed();
    CHECK_FALSE(one.fired());
    CHECK(two.ok());
    reactor.attempts[0]->succeed();
    CHECK(one.value() != two.value());
}

TEST_CASE("a TCP6 server listens on :: unless told otherwise (EP-5)") {
    FakeReactor reactor;
    TCP6ServerEndpoint(reactor, 1).listen(Factory::forProtocol<Recorder>());
    CHECK(reactor.ports.back()->interface == "::");
    CHECK(reactor.ports.back()->backlog == 50);
}

TEST_CASE("doStart and doStop reach the user's factory once an attempt (EP-6)") {
    FakeReactor reactor;
    const auto factory = recording(std::make_shared<Recorder>());
    const Outcome outcome(connecting(reactor, factory));
    CHECK(factory->starts == 1);
    CHECK(factory->numPorts() == 1);
    reactor.last().succeed();
    CHECK(factory->stops == 0);
    reactor.last().lose(failureOf<ConnectionDone>());
    CHECK(factory->stops == 1);
    const Outcome again(connecting(reactor, factory));
    reactor.last().fail(failureOf<NoRouteError>());
    CHECK(factory->starts == 2);
    CHECK(factory->stops == 2);
    CHECK(factory->numPorts() == 0);
}

TEST_CASE("nothing stands between transport and protocol, so every ability is found (EP-1)") {
    class Able : public Recorder, public HalfCloseableProtocol, public HandshakeListener {
        void readConnectionLost() override {}
        void writeConnectionLost() override {}
        void handshakeCompleted() override {}
    };
    FakeReactor reactor;
    const Outcome outcome(connecting(reactor, recording(std::make_shared<Able>())));
    reactor.last().succeed();
    CHECK(outcome.value()->provides<HalfCloseableProtocol>() != nullptr);
    CHECK(outcome.value()->provides<HandshakeListener>() != nullptr);
}

TEST_CASE("connectProtocol fires with that same protocol (EP-1)") {
    FakeReactor reactor;
    const auto protocol = std::make_shared<Recorder>();
    std::weak_ptr<Factory> factory;
    {
        Deferred<std::shared_ptr<Recorder>> result =
            connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 8000), protocol);
        const Outcome outcome(result);
        reactor.last().succeed();
        CHECK(outcome.value() == protocol);
        factory = protocol->factory();
    }
    reactor.last().lose(failureOf<ConnectionDone>());
    reactor.attempts.clear();
    CHECK(protocol.use_count() == 1);
}

TEST_CASE("neither an attempt nor its protocol is kept by a result that nobody took (EP-1)") {
    std::weak_ptr<Recorder> watched;
    {
        FakeReactor reactor;
        auto protocol = std::make_shared<Recorder>();
        watched = protocol;
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 8000), std::move(protocol));
        reactor.last().succeed();
        CHECK_FALSE(watched.expired());
        reactor.last().lose(failureOf<ConnectionDone>());
    }
    CHECK(watched.expired());
}

TEST_CASE("a TCP6 client looks a name up and takes its first IPv6 address (EP-1)") {
    FakeReactor reactor;
    reactor.resolver->names["host"] = {"127.0.0.1", "::1", "::2"};
    reactor.resolver->names["old"] = {"127.0.0.1"};
    const auto factory = recording(std::make_shared<Recorder>());
    const Outcome outcome(TCP6ClientEndpoint(reactor, "host", 80, 3s).connectFactory(factory));
    CHECK(reactor.last().host == "::1");
    CHECK(reactor.last().timeout == 3s);
    reactor.last().succeed();
    CHECK(outcome.ok());
    const Outcome none(TCP6ClientEndpoint(reactor, "old", 80).connectFactory(factory));
    CHECK(none.failed<DNSLookupError>());
    CHECK(none.text().find("'old'") != std::string::npos);
}

TEST_CASE("cancelling a TCP6 client's look-up is ConnectingCancelledError, too (EP-2)") {
    FakeReactor reactor;
    reactor.resolver->open = true;
    const Deferred<std::shared_ptr<Protocol>> result =
        TCP6ClientEndpoint(reactor, "host", 80).connectFactory(recording(std::make_shared<Recorder>()));
    const Outcome outcome(result);
    result.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    CHECK(outcome.text().find("HostnameAddress('host', 80)") != std::string::npos);
}

TEST_CASE("SSL endpoints hand on their recipe with the rest (EP-5)") {
    FakeReactor reactor;
    const auto recipe = std::make_shared<const NoRecipe>();
    const Outcome listening(
        SSL4ServerEndpoint(reactor, 443, *recipe, 9, "127.0.0.1").listen(Factory::forProtocol<Recorder>()));
    CHECK(listening.ok());
    CHECK(reactor.ports.back()->options == recipe);
    CHECK(reactor.ports.back()->backlog == 9);
    SSL4ClientEndpoint endpoint(reactor, "localhost", 443, *recipe, 5s);
    const Outcome connected(endpoint.connect(Factory::forProtocol<Recorder>()));
    CHECK(reactor.last().options == recipe);
    CHECK(reactor.last().timeout == 5s);
    reactor.last().succeed();
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
