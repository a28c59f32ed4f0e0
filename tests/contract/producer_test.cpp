// What every stream transport promises to producers.

#include <algorithm>

#include <torsion/testing/logged_errors.hpp>
#include <torsion/tests/contract/stacks.hpp>
#include <torsion/transports/tcp_connection.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Pushes blocks until told to pause.
class Pusher : public Producer {
public:
    Pusher(Transport& transport, std::size_t blocks, std::size_t blockSize)
        : left(blocks), transport_(transport), blockSize_(blockSize) {}
    void pauseProducing() override {
        ++pauses;
        paused = true;
        if (onPause) onPause();
    }
    void resumeProducing() override {
        ++resumes;
        paused = false;
        push();
    }
    void stopProducing() override { ++stops; }
    void push() {
        while (!paused && left > 0) {
            --left;
            transport_.write(Bytes(blockSize_, 'p'));
        }
        if (left == 0 && unregisters) {
            unregisters = false;
            transport_.unregisterProducer();
        }
    }
    int pauses = 0, resumes = 0, stops = 0;
    bool paused = false, unregisters = true;
    std::function<void()> onPause;
    std::size_t left;

private:
    Transport& transport_;
    std::size_t blockSize_;
};

class Puller : public PullProducer {
public:
    Puller(Transport& transport, int blocks) : left(blocks), transport_(transport) {}
    void resumeProducing() override {
        ++resumes;
        if (left == 0) return;
        transport_.write(Bytes(10000, 'q'));
        if (--left == 0) transport_.unregisterProducer();
    }
    void stopProducing() override { ++stops; }
    int left, resumes = 0, stops = 0;

private:
    Transport& transport_;
};

}  // namespace

CONTRACT_CASE(
    "a push producer is paused above the high-water mark, inside its write, and resumed (PC-3) (PC-4) (D23)") {
    Link link(stack);
    link.connect();
    link.settle();
    const auto pusher = std::make_shared<Pusher>(link.client->transport(), 2000, 5000);
    link.client->transport().registerProducer(pusher, true);
    pusher->push();
    CHECK(pusher->pauses == 1);
    CHECK(pusher->left > 1000);
    until(link.reactor, [&] { return link.server->received.size() == 2000U * 5000U; });
    CHECK(pusher->resumes > 0);
    CHECK(pusher->stops == 0);
}

CONTRACT_CASE("a peer that does not read what goes back to it is not read from, either (PC-3) (PC-4)") {
    Link link(stack);
    link.connect();
    link.settle();
    Transport& back = link.server->transport();
    std::size_t most = 0;
    back.registerProducer(link.server->transportHandle(), true);
    link.server->onData = [&](BytesView data) {
        back.write(data);
        most = std::max(most, back.as<TCPTransport>().bufferedBytes());
    };
    const Bytes octets = pattern(16U << 20);  // more than the system keeps for both directions
    link.client->transport().pauseProducing();
    link.client->transport().write(octets);
    for (std::size_t before = 1; before != link.server->received.size();) {
        before = link.server->received.size();
        link.settle();
    }
    CHECK(most > tcp::Connection::kHighWater);
    CHECK(most < (512U << 10));
    link.client->transport().resumeProducing();
    until(link.reactor, [&] { return link.client->received.size() == octets.size(); });
    CHECK((link.client->received == octets));
}

CONTRACT_CASE("one producer at a time, and a lost connection stops a new one at once (PC-1)") {
    Link link(stack);
    link.connect();
    link.settle();
    const auto first = std::make_shared<Pusher>(link.client->transport(), 1, 1);
    link.client->transport().registerProducer(first, true);
    CHECK_THROWS_AS(link.client->transport().registerProducer(first, true), RuntimeError);
    link.client->transport().unregisterProducer();
    link.client->transport().loseConnection();
    link.untilBothLost();
    const auto second = std::make_shared<Pusher>(link.client->transport(), 1, 1);
    link.client->transport().registerProducer(second, true);
    CHECK(second->stops == 1);
    CHECK(first->stops == 0);
}

CONTRACT_CASE("a pull producer is asked each time there is room, and never paused (PC-2) (PC-9)") {
    Link link(stack);
    link.connect();
    const auto puller = std::make_shared<Puller>(link.client->transport(), 300);
    link.client->transport().registerProducer(puller, false);
    if (!stack.isTLS) CHECK(puller->resumes == 1);
    until(link.reactor, [&] { return link.server->received.size() == 300U * 10000U; });
    CHECK(puller->stops == 0);
}

CONTRACT_CASE("loseConnection waits for the producer to unregister (TR-5) (D6) (PC-6)") {
    Link link(stack);
    link.connect();
    link.settle();
    const auto pusher = std::make_shared<Pusher>(link.client->transport(), 100, 5000);
    pusher->unregisters = false;
    link.client->transport().registerProducer(pusher, true);
    link.client->transport().loseConnection();
    pusher->push();
    until(link.reactor, [&] { return link.server->received.size() == 100U * 5000U; });
    link.settle();
    CHECK(link.client->lost == 0);
    CHECK(pusher->stops == 0);
    link.client->transport().write("the last word");
    link.client->transport().unregisterProducer();
    link.untilBothLost();
    CHECK(link.server->received.size() == 100U * 5000U + 13);
    CHECK(link.client->why() == "ConnectionDone");
}

CONTRACT_CASE("at the loss the producer is stopped once, before connectionLost (PC-5) (CL-2)") {
    Link link(stack);
    link.connect();
    link.settle();
    const auto pusher = std::make_shared<Pusher>(link.client->transport(), 1, 1);
    link.client->transport().registerProducer(pusher, true);
    int stopsAtLoss = -1;
    link.client->onLost = [&] { stopsAtLoss = pusher->stops; };
    link.server->transport().abortConnection();
    link.untilBothLost();
    CHECK(stopsAtLoss == 1);
    CHECK(pusher->stops == 1);
}

CONTRACT_CASE("stopProducing of a transport is loseConnection (PC-7)") {
    Link link(stack);
    link.connect();
    link.settle();
    link.client->transport().stopProducing();
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionDone");
}

CONTRACT_CASE("the transports of two connections can feed each other") {
    Link link(stack), other(stack);
    link.connect();
    link.settle();
    // The server echoes with its own transport as the producer: reading stops while the echo piles up.
    link.server->transport().registerProducer(link.server->transportHandle(), true);
    link.server->onData = [&](BytesView data) { link.server->transport().write(data); };
    const Bytes big = pattern(2U << 20);
    link.client->transport().write(big);
    until(link.reactor, [&] { return link.client->received.size() == big.size(); });
    CHECK(link.client->received == big);
    link.server->transport().unregisterProducer();
}

CONTRACT_CASE("a producer may unregister and close from inside pauseProducing, whatever calls it (PC-4) (TR-3)") {
    for (const std::size_t blockSize : {5000U, 20000U}) {  // gathered, and encrypted at once
        Link link(stack);
        link.connect();
        link.settle();
        const auto pusher = std::make_shared<Pusher>(link.client->transport(), 100000, blockSize);
        pusher->onPause = [&] {
            pusher->onPause = nullptr;
            link.client->transport().unregisterProducer();
            link.client->transport().loseConnection();
        };
        link.client->transport().registerProducer(pusher, true);
        link.reactor.callLater(0s, [&] { pusher->push(); });
        link.untilBothLost();
        CHECK(link.client->why() == "ConnectionDone");
        CHECK(link.server->why() == "ConnectionDone");
    }
}

CONTRACT_CASE("failConnection from inside pauseProducing is the reason (PC-4)") {
    for (const std::size_t blockSize : {5000U, 20000U}) {
        Link link(stack);
        link.connect();
        link.settle();
        const auto pusher = std::make_shared<Pusher>(link.client->transport(), 100000, blockSize);
        pusher->onPause = [&] { link.client->transport().failConnection(ValueError("too slow")); };
        link.client->transport().registerProducer(pusher, true);
        link.reactor.callLater(0s, [&] { pusher->push(); });
        link.untilBothLost();
        CHECK(link.client->why() == "ValueError");
        CHECK(pusher->stops == 1);
    }
}

CONTRACT_CASE(
    "what pauseProducing throws goes to the writer over TCP, and is the reason of the loss over TLS (TR-13)") {
    Link link(stack);
    testing::LoggedErrors logged;
    link.connect();
    link.settle();
    const auto pusher = std::make_shared<Pusher>(link.client->transport(), 1000, 1000);
    pusher->onPause = [] { throw ValueError("no pause"); };
    link.client->transport().registerProducer(pusher, true);
    bool thrown = false;
    link.reactor.callLater(0s, [&] {
        try {
            while (pusher->left > 0 && !pusher->paused) pusher->push();
        } catch (const ValueError&) {
            thrown = true;
            link.client->transport().abortConnection();
        }
    });
    link.untilBothLost();
    logged.flush<ValueError>();  // over TLS
    CHECK(logged.size() == 0);
    CHECK(link.client->why() == (thrown ? "ConnectionAborted" : "ValueError"));
    CHECK(pusher->stops == 1);
}

TEST_CASE("a pull producer that answers later is asked once for each time the queue empties (PC-2)") {
    class Lazy : public PullProducer {
    public:
        void resumeProducing() override { ++asked; }
        void stopProducing() override {}
        int asked = 0;
    };
    Link link(stacks().front());
    link.connect();
    const auto lazy = std::make_shared<Lazy>();
    link.client->transport().registerProducer(lazy, false);
    for (int i = 0; i < 3; ++i) {
        link.server->transport().write("something else happens");
        link.settle();
    }
    CHECK(lazy->asked == 1);
    link.client->transport().write("the piece");
    link.settle();
    CHECK(lazy->asked == 2);
    link.client->transport().unregisterProducer();
}

TEST_CASE("unregisterProducer and abortConnection from inside resumeProducing is an abort (TR-7) (PC-2)") {
    class Quitter : public PullProducer {
    public:
        explicit Quitter(Transport& transport) : transport_(transport) {}
        void resumeProducing() override {
            if (!std::exchange(asked_, true)) {
                transport_.write("one");
                return;
            }
            transport_.unregisterProducer();
            transport_.abortConnection();
        }
        void stopProducing() override {}

    private:
        Transport& transport_;
        bool asked_ = false;
    };
    Link link(stacks().front());
    link.connect();
    link.client->transport().registerProducer(std::make_shared<Quitter>(link.client->transport()), false);
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionAborted");
}
