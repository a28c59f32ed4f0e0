// startTLS on a TCP connection. TLS itself is tested in memory, in tests/tls.

#include <torsion/protocols/line_only_receiver.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/tests/contract/stacks.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/engine.hpp>
#include <torsion/tls/errors.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

const Stack& tcp() { return stacks().front(); }

const ssl::ContextFactory& serverRecipe() { return recipe(ssl::Role::server); }
const ssl::ContextFactory& clientRecipe() { return recipe(ssl::Role::client); }

/// Lets both sides go over to TLS after the server's "GO".
void negotiate(Link& link) {
    link.client->onMade = [&] { link.client->transport().write("STARTTLS\n"); };
    link.server->onData = [&](BytesView) {
        link.server->onData = nullptr;
        link.server->transport().write("GO\n");
        link.server->transport().as<TLSTransport>().startTLS(serverRecipe());
    };
    link.client->onData = [&](BytesView) {
        link.client->onData = nullptr;
        link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
    };
}

bool secure(Actor& actor) {
    auto* tls = actor.transport().query<SSLTransport>();
    return tls != nullptr && !tls->tlsVersion().empty();
}

/// Finds its lines itself.
class RawLines : public Protocol {
public:
    virtual void lineReceived(BytesView line) = 0;
    void sendLine(BytesView line) { transport().write(Bytes(line) + "\r\n"); }
    void dataReceived(BytesView data) override {
        buffer_.append(data);
        for (std::size_t end; (end = buffer_.find("\r\n")) != Bytes::npos;) {
            const Bytes line = buffer_.substr(0, end);
            buffer_.erase(0, end + 2);
            lineReceived(line);
        }
    }
    Bytes takeUnprocessed() override { return std::exchange(buffer_, Bytes()); }

private:
    Bytes buffer_;
};

/// A line protocol that goes over to TLS at the line STARTTLS, or READY.
template <class Base>
class UpgradingOver : public Base, public HandshakeListener {
public:
    UpgradingOver(const ssl::ContextFactory& options, Residue residue) : options_(options.share()), residue_(residue) {}
    void connectionMade() override { ++made; }
    void lineReceived(BytesView line) override {
        lines.emplace_back(line);
        if (line == "STARTTLS" || line == "READY") {
            if (line == "STARTTLS") this->sendLine("READY");
            this->transport().template as<TLSTransport>().startTLS(*options_, TLSRole::normal, residue_);
        }
    }
    void handshakeCompleted() override { ++handshakes; }
    void connectionLost(const Failure& why) override { reason = std::make_unique<Failure>(why); }

    int made = 0, handshakes = 0;
    std::vector<std::string> lines;
    std::unique_ptr<Failure> reason;

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    Residue residue_;
};

/// An UpgradingOver some Base in either role, and an actor at the other end.
template <class Base>
struct AttackOn {
    AttackOn(ssl::Role role, Residue residue) : victim(std::make_shared<UpgradingOver<Base>>(recipe(role), residue)) {
        const bool isServer = role == ssl::Role::server;
        const std::shared_ptr<Protocol> atServer = isServer ? std::static_pointer_cast<Protocol>(victim) : peer;
        const std::shared_ptr<Protocol> atClient = isServer ? std::static_pointer_cast<Protocol>(peer) : victim;
        port = reactor.listenTCP(0, std::make_shared<OneShotFactory>(atServer), 50, "127.0.0.1");
        reactor.connectTCP("127.0.0.1", port->getHost().port(), std::make_shared<OneShotFactory>(atClient));
        until(
            reactor, [&] { return victim->made == 1 && peer->made == 1; }, "for the connection");
        peer->transport().as<TCPTransport>().setTcpNoDelay(true);
    }
    LibeventReactor reactor;
    std::shared_ptr<UpgradingOver<Base>> victim;
    std::shared_ptr<Actor> peer = std::make_shared<Actor>();
    std::shared_ptr<ListeningPort> port;
};

using Attack = AttackOn<LineReceiver>;

/// Plaintext behind the line that starts TLS, cut at every octet.
template <class Base>
void injectEverywhere(Residue residue) {
    for (const ssl::Role role : {ssl::Role::server, ssl::Role::client}) {
        const Bytes command = role == ssl::Role::server ? "STARTTLS\r\n" : "READY\r\n";
        const Bytes attack = command + "INJECTED\r\nPARTIAL-SECRET";
        for (std::size_t cut = 0; cut < attack.size(); ++cut) {
            CAPTURE(cut);
            AttackOn<Base> scene(role, residue);
            // What was received in the clear when TLS started: fail, or TLS's input. What comes later is TLS's input,
            // and no record.
            scene.victim->dataReceived(BytesView(attack).substr(0, cut));
            scene.peer->transport().write(BytesView(attack).substr(cut));
            until(scene.reactor, [&] { return scene.victim->reason != nullptr; });
            CHECK(scene.victim->lines == std::vector<std::string>{command.substr(0, command.size() - 2)});
            CHECK(scene.victim->handshakes == 0);
            const bool refused = cut != command.size() && residue == Residue::fail;
            CHECK(scene.victim->reason->template check<PlaintextAfterStartTLS>() == refused);
            CHECK(scene.victim->reason->template check<ssl::Error>() == !refused);
        }
    }
}

}  // namespace

TEST_CASE(
    "startTLS in dataReceived: what was queued goes out in the clear first, what follows encrypted (STL-1) (STL-3)") {
    Link link(tcp());
    negotiate(link);
    Transport* before = nullptr;
    link.connect();
    before = &link.client->transport();
    until(
        link.reactor, [&] { return secure(*link.client) && secure(*link.server); }, "for both handshakes");
    CHECK(link.client->received == "GO\n");
    CHECK(&link.client->transport() == before);
    before->write("over the old reference");
    link.server->transport().write("from the server");
    until(link.reactor, [&] { return link.server->received.size() > 9 + 21 && link.client->received.size() > 3 + 14; });
    CHECK(link.server->received == "STARTTLS\nover the old reference");
    CHECK(link.client->received == "GO\nfrom the server");
    link.client->transport().loseConnection();
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionDone");
    CHECK(link.server->why() == "ConnectionDone");
}

TEST_CASE("a megabyte that waits when TLS starts goes out in the clear, ahead of the handshake (STL-1)") {
    Link link(tcp());
    const Bytes plain = pattern(1U << 20);
    link.connect();
    bool upgraded = false;
    link.client->onData = [&](BytesView) {
        if (upgraded || link.client->received.size() < plain.size()) return;
        upgraded = true;
        // The peer is silent until our hello comes: nothing of its handshake can be in this delivery.
        CHECK(link.client->received == plain);
        link.client->received.clear();
        link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
        link.client->transport().write("encrypted question");
    };
    link.server->transport().write(plain);
    link.server->transport().as<TLSTransport>().startTLS(serverRecipe());
    link.server->transport().write("encrypted greeting");
    until(link.reactor, [&] { return link.client->received.size() >= 18 && link.server->received.size() >= 18; });
    CHECK(link.client->received == "encrypted greeting");
    CHECK(link.server->received == "encrypted question");
}

TEST_CASE(
    "startTLS, write and loseConnection at once: the write arrives encrypted, and the end is clean (STL-3) (TLS-6)") {
    Link link(tcp());
    negotiate(link);
    link.client->onData = [&](BytesView) {
        link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
        link.client->transport().write("hello over TLS");
        link.client->transport().loseConnection();
        CHECK(link.client->transport().disconnecting());
    };
    link.connect();
    link.untilBothLost();
    CHECK(link.server->received == "STARTTLS\nhello over TLS");
    CHECK(link.client->why() == "ConnectionDone");
    CHECK(link.server->why() == "ConnectionDone");
}

TEST_CASE("startTLS may be called from outside a callback, and with the roles reversed (STL-3)") {
    Link link(tcp());
    link.connect();
    link.client->transport().as<TLSTransport>().startTLS(serverRecipe(), TLSRole::server);
    link.server->transport().as<TLSTransport>().startTLS(clientRecipe(), TLSRole::client);
    link.client->transport().write("from the TLS server");
    until(link.reactor, [&] { return link.server->received.size() == 19; });
    REQUIRE(link.server->transport().as<SSLTransport>().getPeerCertificate());
    CHECK(*link.server->transport().as<SSLTransport>().getPeerCertificate() == ssl::test::exampleCertificate());
}

TEST_CASE("a recipe for the other role is refused, and nothing has changed (STL-3)") {
    Link link(tcp());
    link.connect();
    CHECK_THROWS_AS(link.client->transport().as<TLSTransport>().startTLS(serverRecipe()), TypeError);
    link.client->transport().write("in the clear");
    until(link.reactor, [&] { return link.server->received == "in the clear"; });
}

TEST_CASE("startTLS twice is a RuntimeError, and the connection goes on (STL-4)") {
    Link link(tcp());
    negotiate(link);
    link.connect();
    CHECK(link.client->lost == 0);
    until(link.reactor, [&] { return secure(*link.client) && secure(*link.server); });
    CHECK_THROWS_AS(link.client->transport().as<TLSTransport>().startTLS(clientRecipe()), RuntimeError);
    link.client->transport().write("on");
    until(link.reactor, [&] { return link.server->received == "STARTTLS\non"; });
}

TEST_CASE(
    "the certificate comes from the TLS layer, in connectionLost too; later calls are silent (STL-5) (TLS-21) (TR-2)") {
    Link link(tcp());
    negotiate(link);
    int asked = 0;
    link.client->onLost = [&] {
        ++asked;
        auto* tls = link.client->transport().query<SSLTransport>();
        REQUIRE(tls != nullptr);
        REQUIRE(tls->getPeerCertificate());
        CHECK(*tls->getPeerCertificate() == ssl::test::exampleCertificate());
        link.client->transport().write("silent");
        link.client->transport().loseConnection();
        link.client->transport().abortConnection();
    };
    link.connect();
    CHECK(link.client->transport().query<SSLTransport>() == nullptr);
    until(link.reactor, [&] { return secure(*link.client) && secure(*link.server); });
    link.server->transport().loseConnection();
    link.untilBothLost();
    CHECK(asked == 1);
    CHECK(link.client->why() == "ConnectionDone");
    Transport& after = link.client->transport();
    after.write("silent");
    after.write(Bytes("silent"));
    after.loseConnection();
    after.abortConnection();
    after.pauseProducing();
    after.resumeProducing();
    after.unregisterProducer();
    after.as<TLSTransport>().startTLS(clientRecipe());
    CHECK(after.getHost().port() != 0);
    link.settle();
    CHECK(link.client->lost == 1);
}

TEST_CASE("abortConnection after startTLS resets at once, and nothing more is delivered (STL-5) (TLS-13)") {
    Link link(tcp());
    negotiate(link);
    link.connect();
    until(link.reactor, [&] { return secure(*link.client) && secure(*link.server); });
    link.server->transport().write("not read any more");
    link.client->transport().abortConnection();
    CHECK(link.client->lost == 0);
    link.untilBothLost();
    CHECK(link.client->received == "GO\n");
    CHECK(link.client->why() == "ConnectionAborted");
    CHECK(link.server->why() == "ConnectionLost");
}

TEST_CASE("an end of the socket without close_notify is a truncation after startTLS, too (TLS-12)") {
    Link link(tcp());
    link.connect();
    link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
    link.server->onData = [&](BytesView) { link.server->transport().loseConnection(); };
    link.untilBothLost();
    CHECK(link.client->why() == "TLSTruncated");
}

TEST_CASE("plaintext behind the line that starts TLS fails the connection, wherever it is cut (STL-2) (D5)") {
    injectEverywhere<LineReceiver>(Residue::fail);
    injectEverywhere<LineOnlyReceiver>(Residue::fail);
    injectEverywhere<RawLines>(Residue::fail);
}

TEST_CASE("plaintext that Residue::feedToTLS feeds is never a line, wherever it is cut (STL-2) (D5)") {
    injectEverywhere<LineReceiver>(Residue::feedToTLS);
    injectEverywhere<LineOnlyReceiver>(Residue::feedToTLS);
    injectEverywhere<RawLines>(Residue::feedToTLS);
}

TEST_CASE("plaintext in one segment with the line that starts TLS is never a line, and the peer is told (STL-2) (D5)") {
    for (const ssl::Role role : {ssl::Role::server, ssl::Role::client}) {
        const Bytes command = role == ssl::Role::server ? "STARTTLS\r\n" : "READY\r\n";
        for (const char* behind : {"INJECTED\r\n", "PARTIAL-SECRET", "\r", "x"}) {
            Attack scene(role, Residue::fail);
            scene.peer->transport().write(command + behind);
            until(scene.reactor, [&] { return scene.victim->reason != nullptr && scene.peer->lost == 1; });
            CHECK(scene.victim->lines.size() == 1);
            CHECK(scene.victim->reason->check<PlaintextAfterStartTLS>());
            CHECK(scene.victim->reason->check<ConnectionLost>());
        }
    }
}

TEST_CASE(
    "Residue::feedToTLS takes what stands behind the line for the peer's handshake, wherever it is cut (STL-2) (D5)") {
    for (std::size_t cut : {std::size_t(0), std::size_t(1), std::size_t(5), std::size_t(100), Bytes::npos}) {
        CAPTURE(cut);
        Attack scene(ssl::Role::server, Residue::feedToTLS);
        // A client that does not wait for READY: its hello stands behind the line.
        struct Sink : ssl::Engine::Output {
            void ciphertext(BytesView data) override { all.append(data); }
            Bytes all;
        } sink;
        ssl::Engine engine(clientRecipe().newSession(ssl::Role::client, {}), sink);
        engine.handshake();
        const Bytes opening = std::exchange(sink.all, Bytes());
        Bytes heard;
        bool done = false;
        scene.peer->onData = [&](BytesView data) {
            heard.append(data);
            if (heard.size() < 7 || done) return;
            CHECK(heard.substr(0, 7) == "READY\r\n");
            engine.feed(BytesView(heard).substr(7));
            done = engine.handshake() == ssl::Engine::Outcome::ok;
            heard.resize(7);
            engine.release();
            if (done) engine.write("SECRET\r\n");
            scene.peer->transport().write(std::exchange(sink.all, Bytes()));
        };
        cut = std::min(cut, opening.size());
        scene.peer->transport().write("STARTTLS\r\n" + opening.substr(0, cut));
        until(scene.reactor, [&] { return !scene.victim->lines.empty(); });
        scene.peer->transport().write(BytesView(opening).substr(cut));
        until(
            scene.reactor, [&] { return scene.victim->lines.size() == 2; }, "for the encrypted line");
        CHECK(scene.victim->lines == std::vector<std::string>{"STARTTLS", "SECRET"});
        CHECK(scene.victim->handshakes == 1);
    }
}

TEST_CASE("Residue::feedToTLS interprets nothing of what it feeds (STL-2) (D5)") {
    Attack scene(ssl::Role::server, Residue::feedToTLS);
    scene.peer->transport().write("STARTTLS\r\nINJECTED\r\nPARTIAL-SECRET");
    until(scene.reactor, [&] { return scene.victim->reason != nullptr; });
    CHECK(scene.victim->lines == std::vector<std::string>{"STARTTLS"});
    CHECK(scene.victim->reason->check<ssl::Error>());
}

TEST_CASE("a producer moves to TLS without a stop, push and pull (PC-12)") {
    class Blocks : public Producer {
    public:
        explicit Blocks(Transport& transport) : transport_(transport) {}
        void pauseProducing() override { paused = true; }
        void resumeProducing() override {
            paused = false;
            send();
        }
        void stopProducing() override { ++stops; }
        void send() {
            if (left == 0) return;
            transport_.write(Bytes(10000, 'b'));
            if (--left == 0) transport_.unregisterProducer();
        }
        int left = 60, stops = 0;
        bool paused = false;

    private:
        Transport& transport_;
    };
    for (const bool streaming : {true, false}) {
        CAPTURE(streaming);
        Link link(tcp());
        link.connect();
        const auto blocks = std::make_shared<Blocks>(link.server->transport());
        link.server->transport().registerProducer(blocks, streaming);
        const std::size_t plain = streaming ? 0 : 10000;  // a pull producer is asked at once
        link.server->transport().as<TLSTransport>().startTLS(serverRecipe());
        link.client->onData = [&](BytesView) {
            if (link.client->received.size() == plain)
                link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
        };
        if (streaming) link.client->transport().as<TLSTransport>().startTLS(clientRecipe());
        std::function<void()> push = [&] {
            if (streaming && !blocks->paused) blocks->send();
            if (blocks->left > 0) link.reactor.callLater(0s, [&] { push(); });
        };
        push();
        until(
            link.reactor, [&] { return link.client->received.size() >= 600000; }, "for all blocks");
        CHECK(link.client->received == Bytes(600000, 'b'));
        CHECK(blocks->stops == 0);
        link.server->transport().loseConnection();
        link.untilBothLost();
        CHECK(blocks->stops == 0);
        CHECK(link.client->why() == "ConnectionDone");
    }
}

TEST_CASE("no object is left of a connection that went over to TLS (TLS-21)") {
    std::weak_ptr<Protocol> client, server;
    {
        Link link(tcp());
        negotiate(link);
        link.connect();
        until(link.reactor, [&] { return secure(*link.client) && secure(*link.server); });
        link.client->transport().loseConnection();
        link.untilBothLost();
        link.settle();
        client = link.client;
        server = link.server;
        link.client.reset();
        link.server.reset();
        CHECK(client.expired());
        CHECK(server.expired());
    }
}
