// What every stream transport promises to producers.

#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Pushes blocks until told to pause.
class Pusher : public Producer {
public:
    Pusher(Transport& transport, std::size_t blocks, std::size_t blockSize) : left(blocks), transport_(transport), blockSize_(blockSize) {}
    void pauseProducing() override {
        ++pauses;
        paused = true;
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

CONTRACT_CASE("a push producer is paused above the high-water mark, inside its write, and resumed (PC-3) (PC-4) (D23)") {
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
