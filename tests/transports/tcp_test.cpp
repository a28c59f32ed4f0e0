// What TCP alone does: ports, connectors, half-close, and the ways in which a peer can leave.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <torsion/core/defer.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_resolver.hpp>
#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

const Stack& tcp() { return stacks().front(); }

/// An actor that goes on after half of the connection has ended.
class HalfActor : public Actor, public HalfCloseableProtocol {
public:
    void readConnectionLost() override {
        ++readLost;
        if (onReadLost) onReadLost();
    }
    void writeConnectionLost() override {
        ++writeLost;
        if (onWriteLost) onWriteLost();
    }
    int readLost = 0, writeLost = 0;
    std::function<void()> onReadLost, onWriteLost;
};

/// A plain blocking socket connected to a port of ours: a peer that does exactly what the test says.
class RawPeer {
public:
    explicit RawPeer(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage storage{};
        const unsigned length = IPv4Address("127.0.0.1", port).toSockaddr(&storage);
        REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    }
    ~RawPeer() { close(); }
    void send(BytesView data) {
        REQUIRE(::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size()));
    }
    void finish() { ::shutdown(descriptor_, SHUT_WR); }
    void reset() {
        const linger now{1, 0};
        setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void close() {
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }
    /// What is there now, without waiting.
    Bytes available() {
        Bytes all;
        char block[65536];
        for (;;) {
            const ssize_t got = ::recv(descriptor_, block, sizeof block, MSG_DONTWAIT);
            if (got <= 0) return all;
            all.append(block, static_cast<std::size_t>(got));
        }
    }

private:
    int descriptor_;
};

/// A server with one actor, and a raw peer.
struct Server {
    explicit Server(std::shared_ptr<Actor> a = std::make_shared<Actor>()) : actor(std::move(a)) {
        port = reactor.listenTCP(0, std::make_shared<OneShotFactory>(actor), 50, "127.0.0.1");
    }
    void untilMade() {
        until(reactor, [&] { return actor->made == 1; });
    }
    void untilLost() {
        until(reactor, [&] { return actor->lost == 1; });
    }
    LibeventReactor reactor;
    std::shared_ptr<Actor> actor;
    std::shared_ptr<ListeningPort> port;
};

int openDescriptors() {
    int count = 0;
    for (int i = 0; i < 1024; ++i) {
        if (::fcntl(i, F_GETFD) != -1) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("a peer's FIN ends the connection cleanly and discards what is unsent (TR-9) (D7)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->transport().write(Bytes(20'000'000, 'x'));
    peer.finish();
    server.untilLost();
    CHECK(server.actor->why() == "ConnectionDone");
    CHECK(peer.available().size() < 20'000'000);
}

TEST_CASE("with setFinishWriting a peer's FIN lets us send the rest (D7)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->transport().as<TCPTransport>().setFinishWriting(true);
    server.actor->transport().write(Bytes(20'000'000, 'x'));
    peer.finish();
    std::size_t got = 0;
    until(server.reactor, [&] {
        got += peer.available().size();
        return server.actor->lost == 1;
    });
    got += peer.available().size();
    CHECK(got == 20'000'000);
    CHECK(server.actor->why() == "ConnectionDone");
}

TEST_CASE("a half-closeable protocol hears of the FIN, goes on writing, and closes itself (TR-9)") {
    const auto actor = std::make_shared<HalfActor>();
    Server server(actor);
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    peer.send("question");
    peer.finish();
    until(server.reactor, [&] { return actor->readLost == 1; });
    CHECK(actor->received == "question");
    CHECK(actor->lost == 0);
    actor->transport().write("answer");
    actor->transport().loseConnection();
    server.untilLost();
    CHECK(peer.available() == "answer");
    CHECK(actor->why() == "ConnectionDone");
    CHECK(actor->readLost == 1);
}

TEST_CASE("loseWriteConnection sends what is queued and a FIN, tells, and reads on (TR-8)") {
    const auto actor = std::make_shared<HalfActor>();
    Server server(actor);
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    actor->transport().write("all I have to say");
    actor->transport().as<TCPTransport>().loseWriteConnection();
    CHECK(actor->writeLost == 0);
    actor->transport().write("ignored");
    until(server.reactor, [&] { return actor->writeLost == 1; });
    peer.send("I still speak");
    until(server.reactor, [&] { return actor->received == "I still speak"; });
    CHECK(peer.available() == "all I have to say");
    actor->transport().loseConnection();
    CHECK(actor->lost == 0);  // never from inside, unlike Twisted's TR-4
    server.untilLost();
    CHECK(actor->why() == "ConnectionDone");
}

TEST_CASE("loseWriteConnection waits for a producer, and sends what it still writes (TR-8)") {
    class FivePieces : public PullProducer {
    public:
        explicit FivePieces(Transport& transport) : transport_(transport) {}
        void resumeProducing() override {
            transport_.write(Bytes(1000, static_cast<char>('0' + ++written)));
            if (written == 5) transport_.unregisterProducer();
        }
        void stopProducing() override {}
        int written = 0;

    private:
        Transport& transport_;
    };
    const auto actor = std::make_shared<HalfActor>();
    Server server(actor);
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    const auto producer = std::make_shared<FivePieces>(actor->transport());
    actor->transport().registerProducer(producer, false);
    actor->transport().as<TCPTransport>().loseWriteConnection();
    until(server.reactor, [&] { return actor->writeLost == 1; });
    CHECK(producer->written == 5);
    const Bytes got = peer.available();
    CHECK(got.size() == 5000);
    CHECK(got.substr(4000) == Bytes(1000, '5'));
}

TEST_CASE("an exception in writeConnectionLost or readConnectionLost is the reason of the loss (TR-8)") {
    testing::LoggedErrors logged;
    for (const bool reading : {true, false}) {
        const auto actor = std::make_shared<HalfActor>();
        actor->onReadLost = [] { throw ValueError("read"); };
        actor->onWriteLost = [] { throw ValueError("write"); };
        Server server(actor);
        RawPeer peer(server.port->getHost().port());
        server.untilMade();
        if (reading) {
            peer.finish();
        } else {
            actor->transport().as<TCPTransport>().loseWriteConnection();
        }
        server.untilLost();
        CHECK(actor->why() == "ValueError");
        CHECK(logged.flush<ValueError>().size() == 1);
    }
    CHECK(logged.size() == 0);
}

TEST_CASE("a wrapper's half-closeable inside is found (TR-9)") {
    const auto actor = std::make_shared<HalfActor>();
    LibeventReactor reactor;
    const auto port = reactor.listenTCP(0, std::make_shared<WrappingFactory>(std::make_shared<OneShotFactory>(actor)),
                                        50, "127.0.0.1");
    RawPeer peer(port->getHost().port());
    until(reactor, [&] { return actor->made == 1; });
    peer.finish();
    until(reactor, [&] { return actor->readLost == 1; });
    CHECK(actor->lost == 0);
}

TEST_CASE("data that came before a FIN is read first, an RST is a ConnectionLost (TR-10)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    peer.send("farewell");
    peer.close();
    server.untilLost();
    CHECK(server.actor->received == "farewell");
    CHECK(server.actor->why() == "ConnectionDone");

    Server other;
    RawPeer rude(other.port->getHost().port());
    other.untilMade();
    rude.reset();
    other.untilLost();
    CHECK(other.actor->why() == "ConnectionLost");
    CHECK(other.actor->reason->getErrorMessage().find("reset") != std::string::npos);
}

TEST_CASE("one read a turn, of 65536 octets at most, so that nobody starves (TR-11)") {
    Server server;
    std::size_t largest = 0;
    server.actor->onData = [&](BytesView data) { largest = std::max(largest, data.size()); };
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    for (int i = 0; i < 20; ++i) peer.send(Bytes(20000, 'x'));
    until(server.reactor, [&] { return server.actor->received.size() == 400000; });
    CHECK(largest <= 65536);
}

TEST_CASE("an end that the read finds stops the writing of that pass (TR-12)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->transport().write(Bytes(20'000'000, 'x'));  // waits for room
    until(server.reactor, [turns = 0]() mutable { return ++turns > 5; });
    peer.reset();
    server.untilLost();
    CHECK(server.actor->lost == 1);
}

TEST_CASE("close comes in a later pass, as FIN in both directions (TR-4) (TR-6)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->onData = [&](BytesView) {
        server.actor->transport().write("bye");
        server.actor->transport().loseConnection();
        CHECK(server.actor->lost == 0);
    };
    peer.send("go");
    server.untilLost();
    CHECK(peer.available() == "bye");
}

TEST_CASE("a close is a FIN to the peer even if octets of its lie unread here (TR-6)") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->onData = [&](BytesView) {
        peer.send("and more, which nobody will read");
        server.actor->transport().write("bye");
        server.actor->transport().loseConnection();
    };
    peer.send("quit");
    server.untilLost();
    CHECK(peer.available() == "bye");
    errno = 0;
    CHECK(peer.available().empty());
    CHECK(errno != ECONNRESET);
}

TEST_CASE("data is delivered after connectionMade, in a later pass (TR-17)") {
    Server server;
    server.actor->onMade = [&] { CHECK(server.actor->received.empty()); };
    RawPeer peer(server.port->getHost().port());
    peer.send("early");
    until(server.reactor, [&] { return server.actor->received == "early"; });
}

TEST_CASE("a server factory that builds no protocol has the socket closed (TR-15)") {
    LibeventReactor reactor;
    const auto factory = std::make_shared<OneShotFactory>(nullptr);
    const auto port = reactor.listenTCP(0, factory, 50, "127.0.0.1");
    const auto client = std::make_shared<Actor>();
    reactor.connectTCP("127.0.0.1", port->getHost().port(), std::make_shared<OneShotFactory>(client));
    until(reactor, [&] { return client->lost == 1; });
    CHECK(client->reason->check<ConnectionClosed>());
}

TEST_CASE("a client factory that builds no protocol hears of a clean loss (TR-15)") {
    LibeventReactor reactor;
    const auto port =
        reactor.listenTCP(0, std::make_shared<OneShotFactory>(std::make_shared<Actor>()), 50, "127.0.0.1");
    const auto factory = std::make_shared<OneShotFactory>(nullptr);
    reactor.connectTCP("127.0.0.1", port->getHost().port(), factory);
    until(reactor, [&] { return factory->clientLost == 1; });
    CHECK(!factory->failed);
}

TEST_CASE("a factory that throws fails that connection only (CL-4) (D11)") {
    class Thrower : public ClientFactory {
    public:
        std::shared_ptr<Protocol> buildProtocol(const Address&) override { throw ValueError("cannot build"); }
        void clientConnectionFailed(Connector&, const Failure& why) override {
            failed = std::make_unique<Failure>(why);
        }
        std::unique_ptr<Failure> failed;
    };
    testing::LoggedErrors logged;
    LibeventReactor reactor;
    const auto port = reactor.listenTCP(0, std::make_shared<Thrower>(), 50, "127.0.0.1");
    const auto factory = std::make_shared<Thrower>();
    reactor.connectTCP("127.0.0.1", port->getHost().port(), factory);
    until(reactor, [&] { return factory->failed != nullptr; });
    CHECK(factory->failed->check<ValueError>());
    CHECK(logged.flush<ValueError>().size() == 2);  // of the port's factory, and of the client's
    CHECK(logged.size() == 0);
}

TEST_CASE("a port in use is a CannotListenError that says which") {
    LibeventReactor reactor;
    const auto port = reactor.listenTCP(0, std::make_shared<OneShotFactory>(nullptr), 50, "127.0.0.1");
    const int number = port->getHost().port();
    try {
        reactor.listenTCP(number, std::make_shared<OneShotFactory>(nullptr), 50, "127.0.0.1");
        FAIL("listened twice");
    } catch (const CannotListenError& error) {
        CHECK(std::string(error.what()) ==
              "Couldn't listen on 127.0.0.1:" + std::to_string(number) + ": Address already in use.");
        CHECK(error.osError() == EADDRINUSE);
    }
    CHECK_THROWS_AS(reactor.listenTCP(65536, std::make_shared<OneShotFactory>(nullptr)), ValueError);
    CHECK_THROWS_AS(reactor.listenTCP(0, std::make_shared<OneShotFactory>(nullptr), 50, "localhost"),
                    InvalidAddressError);
}

TEST_CASE("stopListening fires in a later turn, with the socket closed and the factory stopped") {
    class Counted : public OneShotFactory {
    public:
        Counted() : OneShotFactory(nullptr) {}
        void startFactory() override { ++started; }
        void stopFactory() override { ++stopped; }
        int started = 0, stopped = 0;
    };
    LibeventReactor reactor;
    const auto factory = std::make_shared<Counted>();
    const auto port = reactor.listenTCP(0, factory, 50, "127.0.0.1");
    const auto second = reactor.listenTCP(0, factory, 50, "127.0.0.1");
    const Address host = port->getHost();
    CHECK(factory->started == 1);
    bool stopped = false;
    port->stopListening().addCallback([&] { stopped = true; });
    CHECK(!stopped);
    until(reactor, [&] { return stopped; });
    CHECK(factory->stopped == 0);
    CHECK(port->getHost() == host);
    const auto again = reactor.listenTCP(host.port(), factory, 50, "127.0.0.1");
    again->stopListening();
    second->stopListening();
    CHECK(factory->stopped == 1);
    bool atOnce = false;
    second->stopListening().addCallback([&] { atOnce = true; });
    CHECK(atOnce);
    until(reactor, [turns = 0]() mutable { return ++turns > 3; });
}

TEST_CASE("IPv6 works on both sides") {
    LibeventReactor reactor;
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    std::shared_ptr<ListeningPort> port;
    try {
        port = reactor.listenTCP(0, std::make_shared<OneShotFactory>(server), 50, "::1");
    } catch (const CannotListenError& error) {
        MESSAGE("this system has no IPv6: ", error.what());
        return;
    }
    reactor.connectTCP("::1", port->getHost().port(), std::make_shared<OneShotFactory>(client));
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    CHECK(client->transport().getPeer() == IPv6Address("::1", port->getHost().port()));
    CHECK(server->transport().getPeer() == client->transport().getHost());
}

TEST_CASE("a refused connection fails later, with its type; the connector can try again") {
    class Retrying : public ClientFactory {
    public:
        explicit Retrying(std::shared_ptr<Actor> a) : actor(std::move(a)) {}
        std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(actor, nullptr); }
        void startedConnecting(Connector& connector) override {
            ++attempts;
            CHECK(connector.state() == Connector::State::connecting);
        }
        void clientConnectionFailed(Connector& connector, const Failure& why) override {
            CHECK(connector.state() == Connector::State::disconnected);
            last = std::make_unique<Failure>(why);
            if (onFailed) onFailed(connector);
        }
        void startFactory() override { ++starts; }
        void stopFactory() override { ++stops; }
        std::shared_ptr<Actor> actor;
        std::function<void(Connector&)> onFailed;
        std::unique_ptr<Failure> last;
        int attempts = 0, starts = 0, stops = 0;
    };
    LibeventReactor reactor;
    const auto blocker = reactor.listenTCP(0, std::make_shared<OneShotFactory>(nullptr), 50, "127.0.0.1");
    const int number = blocker->getHost().port();
    blocker->stopListening();
    const auto actor = std::make_shared<Actor>();
    const auto factory = std::make_shared<Retrying>(actor);
    std::shared_ptr<ListeningPort> port;
    const auto server = std::make_shared<Actor>();
    factory->onFailed = [&](Connector& connector) {
        port = reactor.listenTCP(number, std::make_shared<OneShotFactory>(server), 50, "127.0.0.1");
        connector.connect();
    };
    const auto connector = reactor.connectTCP("127.0.0.1", number, factory);
    CHECK(factory->attempts == 1);
    CHECK(!factory->last);
    CHECK_THROWS_AS(connector->connect(), RuntimeError);
    until(reactor, [&] { return actor->made == 1; });
    CHECK(factory->last->check<ConnectionRefusedError>());
    CHECK(factory->attempts == 2);
    CHECK(factory->starts == 1);
    CHECK(connector->state() == Connector::State::connected);
    CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
    connector->disconnect();
    until(reactor, [&] { return actor->lost == 1; });
    CHECK(connector->state() == Connector::State::disconnected);
    CHECK(factory->stops == 1);
}

TEST_CASE("an attempt that takes too long is a TimeoutError, one that is given up a UserError") {
    LibeventReactor reactor;
    const auto silent = std::make_shared<testing::MemoryResolver>();
    silent->open = true;
    reactor.installNameResolver(silent);
    const auto late = std::make_shared<OneShotFactory>(nullptr), given = std::make_shared<OneShotFactory>(nullptr);
    reactor.connectTCP("somewhere.example", 80, late, 2ms);
    until(reactor, [&] { return late->failed != nullptr; });
    CHECK(late->failed->check<TimeoutError>());
    CHECK(late->failed->check<UserError>());

    const auto connector = reactor.connectTCP("somewhere.example", 80, given);
    connector->stopConnecting();
    CHECK(!given->failed);
    until(reactor, [&] { return given->failed != nullptr; });
    CHECK(given->failed->check<UserError>());
    CHECK(!given->failed->check<TimeoutError>());
}

TEST_CASE("an address that is not ours to bind is a ConnectBindError") {
    LibeventReactor reactor;
    const auto factory = std::make_shared<OneShotFactory>(nullptr);
    reactor.connectTCP("127.0.0.1", 9, factory, 30s, IPv4Address("192.0.2.1", 0));
    until(reactor, [&] { return factory->failed != nullptr; });
    CHECK(factory->failed->check<ConnectBindError>());
}

TEST_CASE("TCP_NODELAY and SO_KEEPALIVE can be asked and set") {
    Link link(tcp());
    link.connect();
    auto& transport = link.client->transport().as<TCPTransport>();
    CHECK(!transport.getTcpNoDelay());
    transport.setTcpNoDelay(true);
    CHECK(transport.getTcpNoDelay());
    CHECK(!transport.getTcpKeepAlive());
    transport.setTcpKeepAlive(true);
    CHECK(transport.getTcpKeepAlive());
    link.client->transport().abortConnection();
    link.untilBothLost();
    CHECK(!transport.getTcpNoDelay());
    transport.setTcpKeepAlive(true);
}

TEST_CASE("without descriptors the waiting connections are closed, and the port lives") {
    Server server;
    const int number = log::addObserver([](const log::Event&) {});
    std::vector<std::unique_ptr<RawPeer>> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(std::make_unique<RawPeer>(server.port->getHost().port()));
    const int open = openDescriptors();
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    std::vector<int> fillers;
    rlimit small{static_cast<rlim_t>(open + 8), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &small);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) fillers.push_back(fd);
    until(server.reactor, [turns = 0]() mutable { return ++turns > 10; });
    for (const int fd : fillers) ::close(fd);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(server.actor->made == 0);
    RawPeer late(server.port->getHost().port());
    server.untilMade();
    CHECK(server.actor->made == 1);
    log::removeObserver(number);
}

TEST_CASE("a storm of connections is accepted in batches, and leaves no descriptor behind") {
    class Counting : public Factory {
    public:
        explicit Counting(int& l) : lost(l) { noisy = false; }
        std::shared_ptr<Protocol> buildProtocol(const Address&) override {
            auto actor = std::make_shared<Actor>();
            actor->onLost = [this] { ++lost; };
            return actor;
        }
        int& lost;
    };
    const int before = openDescriptors();
    {
        LibeventReactor reactor;
        int lost = 0;
        const auto port = reactor.listenTCP(0, std::make_shared<Counting>(lost), 400, "127.0.0.1");
        {
            std::vector<std::unique_ptr<RawPeer>> peers;
            for (int i = 0; i < 300; ++i) peers.push_back(std::make_unique<RawPeer>(port->getHost().port()));
        }
        until(reactor, [&] { return lost == 300; });
    }
    CHECK(openDescriptors() == before);
}

TEST_CASE("a peer that reads nothing holds a closing connection no longer than the stall timeout") {
    Server server;
    RawPeer peer(server.port->getHost().port());
    server.untilMade();
    server.actor->transport().as<TCPTransport>().setCloseTimeout(20ms);
    server.actor->transport().write(Bytes(20'000'000, 'x'));
    server.actor->transport().loseConnection();
    server.untilLost();
    CHECK(server.actor->why() == "ConnectionLost");
}
