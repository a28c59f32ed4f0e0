#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/pool_port.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/tests/reactor/pool_fixture.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/transports/accepted_sockets.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

ReactorPool::FactoryMaker echo() {
    return [](Reactor&) { return Factory::forProtocol<PoolEcho>(); };
}

}  // namespace

TEST_CASE("a pool has 1 to kMostReactors reactors, by default as many as there are processors") {
    CHECK_THROWS_AS(ReactorPool(0), ValueError);
    CHECK_THROWS_AS(ReactorPool(static_cast<std::size_t>(-1)), ValueError);
    CHECK_THROWS_AS(ReactorPool(ReactorPool::kMostReactors + 1), ValueError);
    CHECK(ReactorPool(ReactorPool::kMostReactors).size() == ReactorPool::kMostReactors);
    CHECK(ReactorPool(1).size() == 1);
    CHECK(ReactorPool().size() == ReactorPool::defaultSize());
    CHECK(ReactorPool::defaultSize() >= 1);
    CHECK_THROWS_AS(ReactorPool(2).reactor(2), ValueError);
}

TEST_CASE("a pool that does not run cannot be stopped, and its thread is no reactor's") {
    ReactorPool pool(2);
    CHECK(!pool.running());
    CHECK_THROWS_AS(pool.stop(), ReactorNotRunning);
    CHECK_THROWS_AS(pool.current(), RuntimeError);
}

TEST_CASE("listening refuses functions that are empty, ports that are none and recipes that are no server's") {
    ReactorPool pool(2);
    CHECK_THROWS_AS(pool.listenTCP(0, nullptr), ValueError);
    CHECK_THROWS_AS(pool.forEach(nullptr), ValueError);
    CHECK_THROWS_AS(pool.listenTCP(-1, echo()), ValueError);
    CHECK_THROWS_AS(pool.listenTCP(65536, echo()), ValueError);
    CHECK_THROWS_AS(pool.listenTCP(0, echo(), 50, "nonsense"), std::exception);
    CHECK_THROWS_AS(pool.listenSSL(0, echo(), ssl::optionsForClientTLS("example.com")), TypeError);
}

TEST_CASE("a port in use is a CannotListenError from listenTCP, which leaves nothing, also if it is another pool's") {
    for (const Accepting theirs : kBothWays) {
        for (const Accepting ours : kBothWays) {
            CAPTURE(nameOf(theirs));
            CAPTURE(nameOf(ours));
            ReactorPool first(3, theirs);
            const int port = portOf(first.listenTCP(0, echo(), 50, "127.0.0.1"));
            const std::ptrdiff_t before = openDescriptors();
            ReactorPool second(3, ours);
            try {
                second.listenTCP(port, echo(), 50, "127.0.0.1");
                FAIL("somebody else listens there");
            } catch (const CannotListenError& error) {
                CHECK(error.osError() == EADDRINUSE);
                CHECK(error.port() == port);
            }
            CHECK(openDescriptors() == before);
        }
    }
}

TEST_CASE("a pool's port has a socket for each reactor, or one if the first accepts for all; it ends with the pool") {
    const std::ptrdiff_t before = openDescriptors();
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        {
            ReactorPool pool(3, way);
            const auto port = pool.listenTCP(0, echo(), 50, "127.0.0.1");
            CHECK(port->getHost().host() == "127.0.0.1");
            CHECK(port->getHost().port() != 0);
            CHECK(port->accepting() == way);
            CHECK(openDescriptors() - before == (way == Accepting::reusePort ? 3 : 1));
        }
        CHECK(openDescriptors() == before);
    }
}

TEST_CASE("a port that somebody keeps ends with a pool that never ran") {
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        const std::ptrdiff_t before = openDescriptors();
        auto pool = std::make_unique<ReactorPool>(3, way);
        const auto port = pool->listenTCP(0, echo(), 50, "127.0.0.1");
        CHECK(BlockingClient(portOf(port)).connected());
        pool.reset();
        CHECK(openDescriptors() == before);
        CHECK(!BlockingClient(portOf(port)).connected());
        port->stopListening();
        CHECK(port->getHost().port() != 0);
    }
}

TEST_CASE("before run a port stops listening at once, and its address is free") {
    const std::ptrdiff_t before = openDescriptors();
    ReactorPool pool(2);
    const auto port = pool.listenTCP(0, echo(), 50, "127.0.0.1");
    CHECK(BlockingClient(portOf(port)).connected());
    port->stopListening();
    port->stopListening();
    CHECK(openDescriptors() == before);
    CHECK(!BlockingClient(portOf(port)).connected());
    CHECK(port->getHost().port() != 0);
}

TEST_CASE("where the kernel does not let a port be shared, one reactor accepts for all") {
    using detail::PoolSockets;
    using tcp::PortUse;
    std::vector<PortUse> asked;
    const auto refusing = [&](PortUse which, int error) {
        asked.clear();
        return [&asked, which, error](int port, PortUse use) {
            asked.push_back(use);
            if (use == which) throw CannotListenError("127.0.0.1", port, error);
            return tcp::listeningSocket("127.0.0.1", port, 5, use);
        };
    };
    SUBCASE("for it does not know how") {
        const auto sockets = PoolSockets::open(3, Accepting::reusePort, 0, refusing(PortUse::founds, ENOPROTOOPT));
        CHECK(sockets.accepting == Accepting::handOver);
        CHECK(sockets.sockets.size() == 1);
        CHECK(asked == std::vector{PortUse::founds, PortUse::exclusive});
    }
    SUBCASE("for it refuses the second") {
        const auto sockets = PoolSockets::open(3, Accepting::reusePort, 0, refusing(PortUse::joins, EADDRINUSE));
        CHECK(sockets.accepting == Accepting::handOver);
        CHECK(sockets.sockets.size() == 1);
        CHECK(asked == std::vector{PortUse::founds, PortUse::joins});
    }
    SUBCASE("but not for want of descriptors, nor if the port is in use") {
        CHECK_THROWS_AS(PoolSockets::open(3, Accepting::reusePort, 0, refusing(PortUse::joins, EMFILE)),
                        CannotListenError);
        CHECK_THROWS_AS(PoolSockets::open(3, Accepting::reusePort, 0, refusing(PortUse::founds, EADDRINUSE)),
                        CannotListenError);
    }
    SUBCASE("and one reactor shares with nobody") {
        const auto sockets = PoolSockets::open(1, Accepting::reusePort, 0, refusing(PortUse::joins, EINVAL));
        CHECK(sockets.accepting == Accepting::reusePort);
        CHECK(asked == std::vector{PortUse::exclusive});
    }
}

TEST_CASE("only a factory that serves several threads can be shared") {
    CHECK_THROWS_AS(SharedFactory(nullptr), ValueError);
    const auto inner = Factory::forProtocol<PoolEcho>();
    CHECK_THROWS_AS(SharedFactory(std::make_shared<WrappingFactory>(inner)), TypeError);
    CHECK(SharedFactory(inner).factory() == inner);
}

TEST_CASE("a shared factory starts with its first user and stops with its last, and is its protocols' factory") {
    struct Counting : Factory {
        std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<PoolEcho>(); }
        void startFactory() override {
            if (refuse) throw ValueError("not today");
            ++started;
        }
        void stopFactory() override { ++stopped; }
        std::vector<std::string> acceptableProtocols() const override { return {"h2"}; }
        int started = 0;
        int stopped = 0;
        bool refuse = false;
    };
    LibeventReactor reactor;
    const auto factory = std::make_shared<Counting>();
    const SharedFactory shared(factory);
    const auto one = shared(reactor), other = SharedFactory(shared)(reactor);
    factory->refuse = true;
    CHECK_THROWS_AS(one->doStart(), ValueError);
    factory->refuse = false;
    one->doStart();
    other->doStart();
    CHECK(factory->started == 1);
    CHECK(factory->numPorts() == 1);
    CHECK(one->build(Address())->factory() == factory);
    CHECK(one->acceptableProtocols() == std::vector<std::string>{"h2"});
    CHECK(one->logPrefix() == factory->logPrefix());
    one->doStop();
    CHECK(factory->stopped == 0);
    other->doStop();
    CHECK(factory->stopped == 1);
}

TEST_CASE("a socket that is handed over after the end is closed; before that its protocol is told of the end") {
    struct Noting : Protocol {
        explicit Noting(std::vector<std::string>& d) : diary(d) {}
        void connectionMade() override { diary.push_back("made"); }
        void connectionLost(const Failure&) override { diary.push_back("lost"); }
        std::vector<std::string>& diary;
    };
    std::vector<std::string> diary;
    const std::ptrdiff_t before = openDescriptors();
    {
        const auto factory = Factory::forProtocol<Noting>(std::ref(diary));
        auto reactor = std::make_unique<LibeventReactor>();
        const auto accepted = std::make_shared<tcp::AcceptedSockets>(*reactor, factory, Address());
        accepted->startListening();
        CHECK(factory->numPorts() == 1);
        int first[2], second[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, first) == 0);
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second) == 0);
        const Socket peer(first[1]), otherPeer(second[1]);
        accepted->take(Socket(first[0]), Address());
        CHECK(diary == std::vector<std::string>{"made"});
        reactor.reset();
        CHECK(diary == std::vector<std::string>{"made", "lost"});
        CHECK(factory->numPorts() == 0);
        accepted->take(Socket(second[0]), Address());
        char octet = 0;
        CHECK(::recv(otherPeer.descriptor(), &octet, 1, 0) == 0);
    }
    CHECK(openDescriptors() == before);
    CHECK(diary.size() == 2);
}
