/// What Twisted's own tests of TLS pin besides the behaviours that have IDs of their own, in our words: the rows TT-1
/// to TT-n of docs/parity-tls.md.

#include <torsion/core/log.hpp>
#include <torsion/protocols/protocol_proxy.hpp>
#include <torsion/tests/contract/stacks.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tls/certificate.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Collects what is logged.
class LogLines {
public:
    LogLines() : number_(log::addObserver([this](const log::Event& event) { lines.emplace_back(event.text); })) {}
    ~LogLines() { log::removeObserver(number_); }
    bool has(const std::string& text) const {
        return std::any_of(lines.begin(), lines.end(),
                           [&](const std::string& line) { return line.find(text) != std::string::npos; });
    }
    std::vector<std::string> lines;

private:
    int number_;
};

class NamedFactory : public Factory {
public:
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return nullptr; }
    std::string logPrefix() const override { return "mail"; }
};

class PlainFactory : public Factory {
public:
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return nullptr; }
};

/// Stands between the socket and TLS, and remembers when the socket was lost.
class Witness : public ProtocolProxy {
public:
    using ProtocolProxy::ProtocolProxy;
    void connectionLost(const Failure& reason) override {
        socketLost = true;
        ProtocolProxy::connectionLost(reason);
    }
    bool socketLost = false;
};

/// A recipe that gives away OpenSSL's objects of its connections.
class OpenRecipe final : public ssl::ContextFactory {
public:
    explicit OpenRecipe(const ssl::ContextFactory& recipe) : recipe_(recipe.share()) {}
    std::shared_ptr<const ContextFactory> share() const override { return std::make_shared<OpenRecipe>(*this); }
    std::unique_ptr<ssl::Session> newSession(ssl::Role role, const ssl::SessionOptions& options) const override {
        auto session = recipe_->newSession(role, options);
        *newest = session->native();
        return session;
    }
    Duration handshakeTimeout() const override { return recipe_->handshakeTimeout(); }
    Duration closeTimeout() const override { return recipe_->closeTimeout(); }

    std::shared_ptr<ssl_st*> newest = std::make_shared<ssl_st*>();

private:
    std::shared_ptr<const ContextFactory> recipe_;
};

}  // namespace

// The factory.

TEST_CASE("a TLS factory starts and stops without a word in the log (TT-1) (TRN-1)") {
    const LogLines logged;
    const auto wrapped = std::make_shared<PlainFactory>();
    wrapped->noisy = false;
    TLSMemoryBIOFactory factory(goodClient(), ssl::Role::client, wrapped);
    factory.doStart();
    CHECK(wrapped->numPorts() == 1);
    factory.doStop();
    CHECK(wrapped->numPorts() == 0);
    CHECK_FALSE(logged.has("factory"));
    CHECK(logged.lines.empty());
}

TEST_CASE("a TLS factory is logged as what it wraps, or as that one's type, and TLS (TT-2) (TRN-1)") {
    const auto prefix = [](std::shared_ptr<Factory> wrapped) {
        return TLSMemoryBIOFactory(goodClient(), ssl::Role::client, std::move(wrapped)).logPrefix();
    };
    CHECK(prefix(std::make_shared<NamedFactory>()) == "mail (TLS)");
    CHECK(prefix(std::make_shared<PlainFactory>()).ends_with("PlainFactory (TLS)"));
}

TEST_CASE("a TLS factory refuses a recipe that cannot play its role, before anything listens (TT-3) (TRN-1)") {
    const auto wrapped = std::make_shared<PlainFactory>();
    CHECK_THROWS_AS(TLSMemoryBIOFactory(goodClient(), ssl::Role::server, wrapped), TypeError);
    const ssl::CertificateOptions server{serverParameters()};
    CHECK_THROWS_AS(TLSMemoryBIOFactory(server, ssl::Role::client, wrapped), TypeError);
    LibeventReactor reactor;
    CHECK_THROWS_AS(reactor.listenSSL(0, wrapped, goodClient(), 50, "127.0.0.1"), TypeError);
    CHECK_THROWS_AS(
        reactor.connectSSL("127.0.0.1", 1234, std::make_shared<OneShotFactory>(std::make_shared<Actor>()), server),
        TypeError);
}

TEST_CASE("a TLS port says in the log that it is one (TT-4)") {
    LibeventReactor reactor;
    const LogLines logged;
    const auto port = reactor.listenSSL(0, std::make_shared<NamedFactory>(),
                                        ssl::CertificateOptions(serverParameters()), 50, "127.0.0.1");
    CHECK(logged.has("mail (TLS) starting on " + std::to_string(port->getHost().port())));
}

// The handshake.

TEST_CASE("in handshakeCompleted the peer's certificate and all else are known (TT-5) (TRN-6)") {
    for (const ssl::TLSVersion version : kVersions) {
        TLSPair pair(version);
        bool seen = false;
        pair.client->onHandshake = [&] {
            const auto certificate = pair.client->ssl().getPeerCertificate();
            REQUIRE(certificate);
            CHECK(*certificate == ssl::test::exampleCertificate());
            CHECK(ssl::Certificate::peerFromTransport(pair.client->transport()) == *certificate);
            CHECK_FALSE(pair.client->ssl().tlsCipher().empty());
            seen = true;
        };
        pair.up();
        CHECK(seen);
        CHECK(pair.server->ssl().getPeerCertificate() == nullptr);
    }
}

TEST_CASE("abortConnection in handshakeCompleted: what connectionMade wrote never reaches that peer (TT-6)") {
    for (const ssl::TLSVersion version : kVersions) {
        TLSPair pair(version);
        pair.client->onMade = [&] { pair.client->transport().write("for the right ears only"); };
        pair.client->onHandshake = [&] { pair.client->transport().abortConnection(); };
        pair.start();
        pair.flush();
        CHECK(pair.client->handshakes == 1);
        CHECK(pair.client->why() == "ConnectionAborted");
        CHECK(pair.server->received.empty());
        CHECK(pair.server->lost == 1);
    }
}

TEST_CASE("TLS 1.2 exchanges keys by elliptic curves, without anything being configured (TT-7)") {
    TLSPair pair(ssl::TLSVersion::TLSv1_2);
    pair.up();
    CHECK(pair.client->ssl().tlsVersion() == "TLSv1.2");
    CHECK(pair.client->ssl().tlsCipher().starts_with("ECDHE-"));
}

TEST_CASE("two ends with the same self-signed certificate verify each other (TT-8)") {
    const ssl::PrivateCertificate& same = ssl::test::exampleCertificate();
    for (const ssl::TLSVersion version : kVersions) {
        TLSPair pair;
        pair.serve(ssl::CertificateOptions(serverParameters(version).trustRoot(same)));
        pair.connectWith(ssl::optionsForClientTLS("example.com", same, same));
        pair.server->onHandshake = [&] { pair.server->transport().write("hello"); };
        pair.up();
        CHECK(pair.client->received == "hello");
        CHECK(*pair.client->ssl().getPeerCertificate() == same);
        CHECK(*pair.server->ssl().getPeerCertificate() == same);
    }
}

TEST_CASE("the right name on a certificate that is not trusted is an ssl::Error, not a wrong name (TT-9) (CFG-11)") {
    TLSPair pair;
    pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::authority()));
    pair.start();
    pair.flush();
    REQUIRE(pair.client->reason);
    CHECK(pair.client->reason->check<ssl::CertificateVerifyError>());
    CHECK_FALSE(pair.client->reason->check<ssl::VerificationError>());
    CHECK(pair.client->handshakes == 0);
    CHECK(pair.server->reason->check<ssl::Error>());
}

// Data.

TEST_CASE("many records that come in one delivery are all delivered, in order (TT-10) (TLS-3)") {
    for (const ssl::TLSVersion version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineClient();
        pair.start();
        pair.flush();
        REQUIRE(peer->handshakeDone);
        const Bytes records = peer->sealed([&] {
            for (const char letter : std::string("abcdefghi")) peer->say(std::string(1, letter));
        });
        pair.serverOutside->dataReceived(records);
        CHECK(pair.server->received == "abcdefghi");
    }
}

TEST_CASE("a write of many records arrives whole in every version of TLS (TT-11)") {
    using ssl::TLSVersion;
    const Bytes much = distinctOctets(1U << 20U);
    for (const TLSVersion version :
         {TLSVersion::TLSv1_0, TLSVersion::TLSv1_1, TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
        ssl::CertificateOptions::Parameters bounds;
        bounds.insecurelyLowerMinimumTo(version).lowerMaximumSecurityTo(version);
        TLSPair pair;
        pair.serve(ssl::CertificateOptions(serverParameters().insecurelyLowerMinimumTo(version)));
        pair.connectWith(
            ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), std::nullopt, {}, bounds));
        pair.client->onMade = [&] { pair.client->transport().write(much); };
        pair.up();
        CAPTURE(pair.client->ssl().tlsVersion());
        CHECK(pair.server->received == much);
    }
}

TEST_CASE("an error in writing ends the connection with it (TT-12)") {
    TLSPair pair;
    const OpenRecipe recipe{goodClient()};
    pair.connectWith(recipe);
    pair.up();
    SSL_set_shutdown(*recipe.newest, SSL_SENT_SHUTDOWN);  // from now on OpenSSL refuses to write
    pair.inTurn([&] { pair.client->transport().write("too late"); });
    pair.flush();
    REQUIRE(pair.client->reason);
    CHECK(pair.client->reason->check<ssl::Error>());
    CHECK(pair.server->received.empty());
    CHECK(pair.server->lost == 1);
}

// The end.

TEST_CASE("connectionLost comes when the socket is lost, also if both sides close at once (TT-13) (CL-6)") {
    for (const bool both : {false, true}) {
        TLSPair pair;
        const auto client = std::make_shared<Witness>(underTLS(*pair.clientOptions, ssl::Role::client, pair.client));
        const auto server = std::make_shared<Witness>(underTLS(*pair.serverOptions, ssl::Role::server, pair.server));
        pair.clientOutside = client;
        pair.serverOutside = server;
        pair.client->onLost = [&] { CHECK(client->socketLost); };
        pair.server->onLost = [&] { CHECK(server->socketLost); };
        pair.up();
        pair.inTurn([&] {
            pair.client->transport().loseConnection();
            if (both) pair.server->transport().loseConnection();
        });
        CHECK(pair.client->lost + pair.server->lost == 0);
        pair.flush();
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

TEST_CASE("loseConnection again, also after the loss, does nothing (TT-14)") {
    TLSPair pair(ssl::TLSVersion::TLSv1_2);  // whose alerts show on the wire
    pair.up();
    pair.inTurn([&] {
        pair.client->transport().loseConnection();
        pair.client->transport().loseConnection();
    });
    pair.inTurn([&] { pair.client->transport().loseConnection(); });
    pair.client->onLost = [&] { pair.client->transport().loseConnection(); };
    pair.flush();
    pair.inTurn([&] { pair.client->transport().loseConnection(); });
    pair.flush();
    CHECK(pair.client->lost == 1);
    CHECK(pair.client->why() == "ConnectionDone");
    CHECK(pair.clientWire.count(RecordLog::kAlert) == 1);
    CHECK(pair.serverWire.count(RecordLog::kAlert) == 1);
}

TEST_CASE("abortConnection and an exception are their own reasons over TLS, too, not a truncation (TT-15) (TR-13)") {
    const LogLines quiet;
    for (const bool aborts : {true, false}) {
        TLSPair pair;
        pair.client->onData = [&](BytesView) {
            if (!aborts) throw ValueError("as the test says");
            pair.client->transport().abortConnection();
        };
        pair.up();
        pair.inTurn([&] { pair.server->transport().write("go"); });
        pair.flush();
        CHECK(pair.client->why() == (aborts ? "ConnectionAborted" : "ValueError"));
        CHECK(pair.server->reason->check<ConnectionLost>());
    }
}

// Producers.

TEST_CASE("unregisterProducer without a producer is harmless; a second producer is an error (TT-16) (PC-1)") {
    TLSPair pair;
    pair.up();
    Transport& transport = pair.client->transport();
    transport.unregisterProducer();
    const auto first = std::make_shared<TestProducer>();
    transport.registerProducer(first, true);
    CHECK_THROWS_AS(transport.registerProducer(std::make_shared<TestProducer>(), true), RuntimeError);
    CHECK(first->calls.empty());
    transport.unregisterProducer();
    transport.unregisterProducer();
    const auto second = std::make_shared<TestProducer>();
    transport.registerProducer(second, true);
    transport.unregisterProducer();
    CHECK(second->calls.empty());
    pair.inTurn([&] { transport.loseConnection(); });
    pair.flush();
    CHECK(pair.client->why() == "ConnectionDone");
}

TEST_CASE("a producer that comes after the loss is stopped, and never asked, push or pull (TT-17) (PC-1)") {
    for (const bool streaming : {true, false}) {
        TLSPair pair;
        pair.up();
        pair.inTurn([&] { pair.server->transport().abortConnection(); });
        pair.flush();
        REQUIRE(pair.client->lost == 1);
        const auto late = std::make_shared<TestProducer>();
        pair.inTurn([&] { pair.client->transport().registerProducer(late, streaming); });
        pair.flush();
        CHECK(late->calls == "s");
    }
}

TEST_CASE("loseConnection before the handshake waits for a producer that has not written yet (TT-18) (TLS-5)") {
    for (const bool streaming : {true, false}) {
        TLSPair pair;
        const auto producer = std::make_shared<TestProducer>();
        bool done = false;
        producer->onResume = [&] {
            if (std::exchange(done, true)) return;
            pair.client->transport().write("after all");
            pair.client->transport().unregisterProducer();
        };
        pair.client->onMade = [&] {
            pair.client->transport().registerProducer(producer, streaming);
            pair.client->transport().loseConnection();
        };
        pair.start();
        pair.flush();
        CHECK(done);
        CHECK(pair.server->received == "after all");
        CHECK(pair.client->why() == "ConnectionDone");
        CHECK(pair.server->why() == "ConnectionDone");
    }
}

// startTLS, on real sockets.

TEST_CASE("both ends start TLS as soon as they are connected, write, and close in the answer (TT-19) (TRN-7)") {
    Link link(stacks().front());
    for (const auto& [actor, role] : {std::pair(link.client, ssl::Role::client), {link.server, ssl::Role::server}}) {
        actor->onMade = [&actor = *actor, role = role] {
            Transport& before = actor.transport();
            before.as<TLSTransport>().startTLS(recipe(role));
            CHECK(&actor.transport() == &before);
            before.write("x");
        };
        actor->onData = [&actor = *actor](BytesView) {
            actor.transport().write("y");
            actor.transport().loseConnection();
        };
    }
    link.connect();
    link.untilBothLost();
    CHECK(link.client->made == 1);
    CHECK(link.server->made == 1);
    CHECK(link.client->received.front() == 'x');
    CHECK(link.server->received.front() == 'x');
    CHECK(link.client->reason->check<ConnectionClosed>());
    CHECK(link.server->reason->check<ConnectionClosed>());
}

TEST_CASE("a peer that does not follow into TLS sees its octets as they are (TT-20)") {
    Link link(stacks().front());
    link.server->onData = [&](BytesView) {
        link.server->transport().as<TLSTransport>().startTLS(recipe(ssl::Role::client), TLSRole::client);
        link.server->onData = nullptr;
    };
    link.client->onMade = [&] { link.client->transport().write("go on"); };
    link.client->onData = [&](BytesView) { link.client->transport().write("what is this?\r\n"); };
    link.connect();
    link.untilBothLost();
    REQUIRE_FALSE(link.client->received.empty());
    CHECK(link.client->received.front() == '\x16');  // a handshake record (RFC 8446, 5.1)
    CHECK(link.server->received == "go on");
    CHECK(link.server->reason->check<ssl::Error>());
}

// Certificates.

TEST_CASE("peerFromTransport needs TLS and a certificate that has come (TT-21) (CFG-12)") {
    TLSPair pair;
    pair.client->onMade = [&] {
        CHECK_THROWS_AS(ssl::Certificate::peerFromTransport(pair.client->transport()), CertificateError);
        CHECK_THROWS_AS(ssl::Certificate::peerFromTransport(*pair.client->transport().lower()), CertificateError);
    };
    pair.up();
    CHECK(ssl::Certificate::peerFromTransport(pair.client->transport()) == ssl::test::exampleCertificate());
    CHECK_THROWS_AS(ssl::Certificate::peerFromTransport(pair.server->transport()), CertificateError);
}

TEST_CASE("PEM need not end with a newline (TT-22) (CFG-13)") {
    std::string key = ssl::test::someKey().dumpPEM();
    const ssl::Certificate& publicPart = ssl::test::exampleCertificate();
    std::string certificate = publicPart.dumpPEM();
    while (certificate.ends_with('\n')) certificate.pop_back();
    while (key.ends_with('\n')) key.pop_back();
    CHECK(ssl::Certificate::loadPEM(certificate) == publicPart);
    CHECK(ssl::PrivateCertificate::loadPEM(key + "\n" + certificate) == publicPart);
    CHECK(ssl::PrivateCertificate::loadPEM(certificate + "\n" + key) == publicPart);
}
