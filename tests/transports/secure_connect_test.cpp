// Client endpoints whose Deferred means a verified peer, over real sockets.

#include <torsion/testing/logged_errors.hpp>
#include <torsion/tests/contract/stacks.hpp>
#include <torsion/tests/outcome.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/transports/hostname_endpoint.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>

using namespace torsion;
using namespace torsion::test;
using test::Outcome;

namespace {

constexpr auto kVerified = ConnectionMade::afterHandshake;

/// A server of TLS, or of nothing, that counts who comes.
struct Server {
    explicit Server(const ssl::ContextFactory* options = &recipe(ssl::Role::server),
                    ConnectionMade connectionMade = ConnectionMade::beforeHandshake) {
        std::shared_ptr<Factory> factory = std::make_shared<OneShotFactory>(actor);
        if (options != nullptr) {
            factory = std::make_shared<TLSMemoryBIOFactory>(*options, ssl::Role::server, factory, connectionMade);
        }
        port = reactor.listenTCP(0, factory, 50, "127.0.0.1");
    }
    int number() const { return port->getHost().port(); }
    std::shared_ptr<StreamClientEndpoint> tcp() {
        return std::make_shared<endpoints::TCP4ClientEndpoint>(reactor, "127.0.0.1", number());
    }
    template <class T>
    void untilFired(const Outcome<T>& outcome) {
        until(
            reactor, [&] { return outcome.fired(); }, "for the endpoint");
    }

    LibeventReactor reactor;
    std::shared_ptr<Actor> actor = std::make_shared<Actor>();
    std::shared_ptr<ListeningPort> port;
};

std::shared_ptr<Factory> factoryOf(const std::shared_ptr<Protocol>& protocol) {
    return std::make_shared<OneShotFactory>(protocol);
}

ssl::ClientTLSOptions wrongName() { return ssl::optionsForClientTLS("other.example", ssl::test::exampleCertificate()); }

}  // namespace

TEST_CASE("an endpoint may connect when the peer is verified, and not before (TLS-1) (EP-1)") {
    Server server;
    const auto client = std::make_shared<Actor>();
    client->onMade = [&] {
        CHECK(client->transport().as<SSLTransport>().getPeerCertificate() != nullptr);
        client->transport().write("safe");
    };
    const Outcome outcome(endpoints::wrapClientTLS(recipe(ssl::Role::client), server.tcp(), kVerified)
                              ->connectFactory(factoryOf(client)));
    server.untilFired(outcome);
    REQUIRE(outcome.ok());
    CHECK(outcome.value() == client);
    CHECK(client->made == 1);
    until(
        server.reactor, [&] { return server.actor->received == "safe"; }, "for the octets");
}

TEST_CASE("SSL4ClientEndpoint and SSL4ServerEndpoint take the same choice (TLS-1)") {
    LibeventReactor reactor;
    const auto accepted = std::make_shared<Actor>();
    accepted->onMade = [&] { CHECK(accepted->transport().as<SSLTransport>().tlsVersion() != ""); };
    endpoints::SSL4ServerEndpoint serverEndpoint(reactor, 0, recipe(ssl::Role::server), 50, "127.0.0.1", kVerified);
    const Outcome listening(serverEndpoint.listen(factoryOf(accepted)));
    REQUIRE(listening.ok());
    endpoints::SSL4ClientEndpoint endpoint(reactor, "127.0.0.1", listening.value()->getHost().port(),
                                           recipe(ssl::Role::client), 30s, Address(), kVerified);
    const auto client = std::make_shared<Actor>();
    const Outcome outcome(endpoint.connectFactory(factoryOf(client)));
    until(
        reactor, [&] { return outcome.fired() && accepted->made == 1; }, "for both ends");
    CHECK(outcome.value() == client);
}

TEST_CASE("the reason why a peer could not be verified is the errback of a secure connect (TLS-11) (HE-7)") {
    SUBCASE("a wrong name") {
        Server server;
        const auto client = std::make_shared<Actor>();
        const Outcome outcome(
            endpoints::wrapClientTLS(wrongName(), server.tcp(), kVerified)->connectFactory(factoryOf(client)));
        server.untilFired(outcome);
        CHECK(outcome.failed<ssl::VerificationError>());
        CHECK(client->made == 0);
        CHECK(client->lost == 0);
    }
    SUBCASE("an issuer that nobody trusts, by name over happy eyeballs") {
        Server server;
        const auto client = std::make_shared<Actor>();
        const auto options = ssl::optionsForClientTLS("example.com", ssl::test::authority());
        const auto byName = std::make_shared<endpoints::HostnameEndpoint>(server.reactor, "127.0.0.1", server.number());
        const Outcome outcome(endpoints::wrapClientTLS(options, byName, kVerified)->connectFactory(factoryOf(client)));
        server.untilFired(outcome);
        CHECK(outcome.failed<ssl::CertificateVerifyError>());
        CHECK(client->made == 0);
    }
    SUBCASE("a peer that does not speak TLS") {
        Server server(nullptr);
        server.actor->onMade = [&] { server.actor->transport().write("220 mail.example ESMTP\r\n"); };
        const Outcome outcome(endpoints::wrapClientTLS(recipe(ssl::Role::client), server.tcp(), kVerified)
                                  ->connectFactory(factoryOf(std::make_shared<Actor>())));
        server.untilFired(outcome);
        CHECK(outcome.failed<ssl::Error>());
    }
    SUBCASE("a peer that hangs up") {
        Server server(nullptr);
        server.actor->onMade = [&] { server.actor->transport().loseConnection(); };
        const Outcome outcome(endpoints::wrapClientTLS(recipe(ssl::Role::client), server.tcp(), kVerified)
                                  ->connectFactory(factoryOf(std::make_shared<Actor>())));
        server.untilFired(outcome);
        CHECK(outcome.failed<ConnectionLost>());
    }
    SUBCASE("a peer that says nothing") {
        Server server(nullptr);
        auto options = ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
        options.setHandshakeTimeout(20ms);
        const Outcome outcome(endpoints::wrapClientTLS(options, server.tcp(), kVerified)
                                  ->connectFactory(factoryOf(std::make_shared<Actor>())));
        server.untilFired(outcome);
        CHECK(outcome.failed<TLSHandshakeTimeout>());
    }
}

TEST_CASE("a server that waits for the handshake never sees a client that fails it (TLS-1) (TLS-11)") {
    Server server(&recipe(ssl::Role::server), kVerified);
    const auto client = std::make_shared<Actor>();
    const Outcome outcome(
        endpoints::wrapClientTLS(wrongName(), server.tcp(), kVerified)->connectFactory(factoryOf(client)));
    server.untilFired(outcome);
    int turns = 0;
    until(server.reactor, [&] { return ++turns > 50; });
    CHECK(server.actor->made == 0);
    CHECK(server.actor->lost == 0);
}

TEST_CASE("to cancel a secure connect gives the handshake up (EP-2) (TLS-1)") {
    Server server(nullptr);  // so that the handshake has no end
    const auto client = std::make_shared<Actor>();
    const auto deferred =
        endpoints::wrapClientTLS(recipe(ssl::Role::client), server.tcp(), kVerified)->connectFactory(factoryOf(client));
    const Outcome outcome(deferred);
    until(
        server.reactor, [&] { return !server.actor->received.empty(); }, "for the hello");
    CHECK_FALSE(outcome.fired());
    deferred.cancel();
    CHECK(outcome.failed<ConnectingCancelledError>());
    until(
        server.reactor, [&] { return server.actor->lost == 1; }, "for the end at the server");
    CHECK(client->made == 0);
    CHECK(client->lost == 0);
}

TEST_CASE("what connectionMade throws is the errback of a secure connect, too (D11) (TLS-1)") {
    Server server;
    const auto client = std::make_shared<Actor>();
    client->onMade = [] { throw ValueError("not over TLS"); };
    testing::LoggedErrors logged;
    const Outcome outcome(endpoints::wrapClientTLS(recipe(ssl::Role::client), server.tcp(), kVerified)
                              ->connectFactory(factoryOf(client)));
    server.untilFired(outcome);
    CHECK(outcome.failed<ValueError>());
    until(
        server.reactor, [&] { return client->lost == 1; }, "for the loss");
    CHECK(client->why() == "ValueError");
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(logged.size() == 0);
}

TEST_CASE("TLS inside TLS may be a secure connect at both layers (TLS-24) (EP-1)") {
    LibeventReactor reactor;
    const auto accepted = std::make_shared<Actor>();
    const auto inner = std::make_shared<TLSMemoryBIOFactory>(recipe(ssl::Role::server), ssl::Role::server,
                                                             factoryOf(accepted), kVerified);
    const auto port = reactor.listenTCP(
        0, std::make_shared<TLSMemoryBIOFactory>(recipe(ssl::Role::server), ssl::Role::server, inner), 50, "127.0.0.1");
    const auto tcp = std::make_shared<endpoints::TCP4ClientEndpoint>(reactor, "127.0.0.1", port->getHost().port());
    const auto outer = endpoints::wrapClientTLS(recipe(ssl::Role::client), tcp, kVerified);
    const auto client = std::make_shared<Actor>();
    const Outcome outcome(
        endpoints::wrapClientTLS(recipe(ssl::Role::client), outer, kVerified)->connectFactory(factoryOf(client)));
    until(
        reactor, [&] { return outcome.fired() && accepted->made == 1; }, "for both ends");
    REQUIRE(outcome.ok());
    CHECK(outcome.value() == client);
}
