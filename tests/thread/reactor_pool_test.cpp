#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/tests/reactor/pool_fixture.hpp>
#include <torsion/tests/thread/gate.hpp>
#include <torsion/tests/thread/watchdog.hpp>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

/// What the protocols of all reactors have gone through.
struct Tally {
    explicit Tally(std::size_t reactors) : perReactor(reactors) {}

    std::vector<std::atomic<int>> perReactor;  ///< connections made
    std::atomic<int> made{0};
    std::atomic<int> lost{0};
    std::atomic<int> onWrongThread{0};

    std::vector<int> counts() const { return {perReactor.begin(), perReactor.end()}; }
};

/// Echoes, and checks that it is always called on the thread on which it was made, and is lost once.
class Tallied : public Protocol {
public:
    Tallied(Tally& tally, std::size_t reactor) : tally_(tally), reactor_(reactor) {}

    void connectionMade() override {
        checkThread();
        ++tally_.perReactor[reactor_];
        ++tally_.made;
    }
    void dataReceived(BytesView data) override {
        checkThread();
        transport().write(data);
    }
    void connectionLost(const Failure&) override {
        checkThread();
        ++tally_.lost;
    }

private:
    void checkThread() {
        if (std::this_thread::get_id() != thread_) ++tally_.onWrongThread;
    }

    Tally& tally_;
    std::size_t reactor_;
    std::thread::id thread_ = std::this_thread::get_id();
};

std::shared_ptr<PoolPort> listenTallied(ReactorPool& pool, Tally& tally) {
    return pool.listenTCP(
        0, [&pool, &tally](Reactor&) { return Factory::forProtocol<Tallied>(std::ref(tally), pool.current()); }, 4096,
        "127.0.0.1");
}

/// Counts how often each reactor's shutdown event came.
struct Shutdowns {
    explicit Shutdowns(ReactorPool& pool) : counts(pool.size()) {
        pool.forEach([this, &pool](Reactor& reactor) {
            reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", [this, index = pool.current()] {
                ++counts[index];
                return defer::succeed();
            });
        });
    }
    int total() const { return std::accumulate(counts.begin(), counts.end(), 0); }
    std::vector<std::atomic<int>> counts;
};

}  // namespace

TEST_CASE("connections are spread over all reactors of a pool, each with a thread of its own") {
    constexpr int kConnections = 400;
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        ReactorPool pool(4, way);
        Tally tally(pool.size());
        const auto port = listenTallied(pool, tally);
        std::vector<std::thread::id> threads(pool.size());
        pool.forEach([&](Reactor&) { threads[pool.current()] = std::this_thread::get_id(); });
        runBeside(pool, [&] {
            for (int i = 0; i < kConnections; ++i) {
                BlockingClient client(portOf(port));
                CHECK(client.ask("hello") == "hello");
            }
        });
        CHECK(threads[0] == std::this_thread::get_id());
        for (std::size_t i = 0; i < pool.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) CHECK(threads[i] != threads[j]);
        }
        CHECK(tally.made == kConnections);
        CHECK(tally.lost == kConnections);
        CHECK(tally.onWrongThread == 0);
        if (way == Accepting::handOver) {
            CHECK(tally.counts() == std::vector<int>(4, kConnections / 4));
        } else {
            for (const int count : tally.counts()) CHECK(count > 0);
        }
    }
}

TEST_CASE("a pool of one serves") {
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        ReactorPool pool(1, way);
        Tally tally(1);
        const auto port = listenTallied(pool, tally);
        runBeside(pool, [&] { CHECK(BlockingClient(portOf(port)).ask("alone") == "alone"); });
        CHECK(tally.made == 1);
        CHECK(tally.lost == 1);
    }
}

TEST_CASE("echoes are right under load from many sides, and descriptors come back") {
    constexpr int kThreads = 4, kConnections = 6, kRounds = 20;
    const unsigned seed = std::random_device()();
    CAPTURE(seed);
    const std::ptrdiff_t before = openDescriptors();
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        ReactorPool pool(3, way);
        Tally tally(pool.size());
        const auto port = listenTallied(pool, tally);
        runBeside(pool, [&] {
            std::vector<std::thread> threads;
            for (unsigned t = 0; t < kThreads; ++t) {
                threads.emplace_back([&, t] {
                    std::mt19937 random(seed + t);
                    std::vector<std::unique_ptr<BlockingClient>> clients;
                    for (int c = 0; c < kConnections; ++c) {
                        clients.push_back(std::make_unique<BlockingClient>(portOf(port)));
                    }
                    for (int round = 0; round < kRounds; ++round) {
                        for (auto& client : clients) {
                            Bytes question(1 + random() % 20000, '\0');
                            for (char& octet : question) octet = static_cast<char>(random());
                            const bool same = client->ask(question) == question;
                            CHECK(same);
                        }
                    }
                });
            }
            for (std::thread& thread : threads) thread.join();
        });
        CHECK(tally.made == kThreads * kConnections);
        CHECK(tally.lost == kThreads * kConnections);
        CHECK(tally.onWrongThread == 0);
    }
    CHECK(openDescriptors() == before);
}

TEST_CASE("a stop in the middle of work loses each connection once, on its own thread, and leaks no descriptor") {
    const std::ptrdiff_t before = openDescriptors();
    for (int round = 0; round < 10; ++round) {
        for (const Accepting way : kBothWays) {
            CAPTURE(nameOf(way));
            CAPTURE(round);
            ReactorPool pool(3, way);
            Tally tally(pool.size());
            Shutdowns shutdowns(pool);
            const auto port = listenTallied(pool, tally);
            std::vector<std::thread> busy;
            std::atomic<int> echoes{0};
            std::atomic<bool> over{false};
            runBeside(pool, [&] {
                for (int t = 0; t < 3; ++t) {
                    busy.emplace_back([&] {
                        while (!over) {  // connections come and go, and some are handed over just when all ends
                            BlockingClient client(portOf(port));
                            if (!client.connected()) break;
                            for (int i = 0; i < 3 && client.ask("x") == "x"; ++i) ++echoes;
                        }
                    });
                }
                while (echoes < 50) std::this_thread::yield();
            });
            over = true;
            for (std::thread& thread : busy) thread.join();
            CHECK(tally.made > 0);
            CHECK(tally.lost == tally.made);
            CHECK(tally.onWrongThread == 0);
            for (const int count : shutdowns.counts) CHECK(count == 1);
        }
        CHECK(openDescriptors() == before);
    }
}

TEST_CASE("what is handed over to a reactor that has stopped is closed, and then others get it") {
    ReactorPool pool(2, Accepting::handOver);
    Tally tally(2);
    const auto port = listenTallied(pool, tally);
    Deferred<void> slow;  // keeps the first reactor, which accepts, when the second has ended
    Gate ended;
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) {
            reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] { return slow; });
        } else {
            reactor.addSystemEventTrigger(SystemEventPhase::after, "shutdown", [&] {
                ended.open();
                return defer::succeed();
            });
        }
    });
    runBeside(pool, [&] {
        pool.stop();
        ended.wait();
        // The second one's part ends soon after; until then what is handed over to it is closed.
        int served = 0;
        while (served < 3) {
            BlockingClient client(portOf(port));
            served = client.ask("x") == "x" ? served + 1 : 0;
        }
        pool.reactor(0).callFromThread([&] { slow.callback(); });
    });
    CHECK(tally.made == tally.lost);
    CHECK(tally.onWrongThread == 0);
}

TEST_CASE("a reactor that crashed gets no connections while others go on") {
    ReactorPool pool(2);  // with a socket for each, of which the kernel chooses one
    Tally tally(2);
    const auto port = listenTallied(pool, tally);
    const Watchdog watchdog("the crashed reactor's end");
    Deferred<void> slow;  // keeps the first reactor
    Gate gone;
    struct Opener {
        explicit Opener(Gate& g) : gate(g) {}
        ~Opener() { gate.open(); }
        Gate& gate;
    };
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) {
            reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] { return slow; });
        } else {
            reactor.callLater(1h, [opener = std::make_shared<Opener>(gone)] {});
            reactor.callLater(0s, [&reactor] { reactor.crash(); });
        }
    });
    runBeside(pool, [&] {
        gone.wait();
        for (int i = 0; i < 40; ++i) CHECK(BlockingClient(portOf(port)).ask("x") == "x");
        pool.reactor(0).callFromThread([&] { slow.callback(); });
    });
    CHECK(tally.counts() == std::vector<int>{40, 0});
    CHECK(tally.lost == 40);
}

TEST_CASE("a stop while reactors are set up ends them all, each with its shutdown event") {
    for (std::size_t stopper = 0; stopper < 3; ++stopper) {
        ReactorPool pool(3);
        Tally tally(3);
        listenTallied(pool, tally);
        Shutdowns shutdowns(pool);
        pool.forEach([&](Reactor&) {
            if (pool.current() == stopper) pool.stop();
        });
        pool.run(false);
        CHECK(shutdowns.total() == 3);
        CHECK(!pool.running());
    }
}

TEST_CASE("a stop from another thread may come at any moment of the start") {
    for (int round = 0; round < 50; ++round) {
        ReactorPool pool(3);
        Shutdowns shutdowns(pool);
        std::atomic<bool> go{false};
        std::thread thread([&] {
            while (!go) std::this_thread::yield();
            for (;;) {
                try {
                    pool.stop();
                    break;
                } catch (const ReactorNotRunning&) {
                    std::this_thread::yield();
                }
            }
        });
        go = true;
        pool.run(false);
        thread.join();
        CHECK(shutdowns.total() == 3);
    }
}

TEST_CASE("stop again is harmless while a pool runs, and an error when it has run; so is running again") {
    ReactorPool pool(2);
    pool.forEach([&](Reactor&) {
        CHECK(pool.running());
        CHECK_THROWS_AS(pool.run(false), ReactorAlreadyRunning);
        pool.stop();
        pool.stop();
    });
    pool.run(false);
    CHECK_THROWS_AS(pool.stop(), ReactorNotRunning);
    CHECK_THROWS_AS(pool.run(false), RuntimeError);
    CHECK_THROWS_AS(pool.forEach([](Reactor&) {}), RuntimeError);
    CHECK_THROWS_AS(pool.listenTCP(0, [](Reactor&) { return Factory::forProtocol<PoolEcho>(); }), RuntimeError);
}

TEST_CASE("what fails in one reactor's set-up comes out of run, and nobody has served or is left") {
    for (std::size_t failing = 0; failing < 3; ++failing) {
        for (const Accepting way : kBothWays) {
            CAPTURE(failing);
            CAPTURE(nameOf(way));
            const std::ptrdiff_t before = openDescriptors();
            Tally tally(3);
            struct Starts : FactoryFor<PoolEcho> {
                explicit Starts(std::atomic<int>& c) : balance(c) {}
                std::shared_ptr<Protocol> buildProtocol(const Address&) override { return nullptr; }
                void startFactory() override { ++balance; }
                void stopFactory() override { --balance; }
                std::atomic<int>& balance;
            };
            std::atomic<int> balance{0};
            {
                ReactorPool pool(3, way);
                bool ran = false;
                pool.listenTCP(0, [&](Reactor&) { return std::make_shared<Starts>(balance); });
                pool.listenTCP(0, [&](Reactor& reactor) -> std::shared_ptr<Factory> {
                    reactor.callWhenRunning([&] { ran = true; });
                    if (pool.current() == failing) throw ValueError("no factory for you");
                    return std::make_shared<Starts>(balance);
                });
                CHECK_THROWS_WITH_AS(pool.run(false), "no factory for you", ValueError);
                CHECK(!ran);
                CHECK(!pool.running());
            }
            CHECK(balance == 0);
            CHECK(openDescriptors() == before);
        }
    }
}

TEST_CASE("a port that somebody keeps ends with its pool, also if the set-up fails") {
    for (std::size_t failing = 0; failing < 3; ++failing) {
        for (const Accepting way : kBothWays) {
            CAPTURE(failing);
            CAPTURE(nameOf(way));
            const std::ptrdiff_t before = openDescriptors();
            ReactorPool pool(3, way);
            Tally tally(3);
            pool.forEach([&](Reactor&) {
                if (pool.current() == failing) throw ValueError("not here");
            });
            const auto port = listenTallied(pool, tally);
            CHECK_THROWS_AS(pool.run(false), ValueError);
            CHECK(openDescriptors() == before);
            CHECK(!BlockingClient(portOf(port)).connected());
        }
    }
}

TEST_CASE("a pool that ends while somebody begins to listen leaves no port") {
    for (int round = 0; round < 30; ++round) {
        const std::ptrdiff_t before = openDescriptors();
        ReactorPool pool(2);
        std::vector<std::shared_ptr<PoolPort>> ports;
        Gate begun;
        std::thread listener([&] {
            begun.wait();
            try {
                while (ports.size() < 100) {
                    ports.push_back(pool.listenTCP(
                        0, [](Reactor&) { return Factory::forProtocol<PoolEcho>(); }, 5, "127.0.0.1"));
                }
            } catch (const RuntimeError&) {  // the pool has ended
            }
        });
        pool.forEach([&](Reactor& reactor) {
            if (pool.current() != 0) return;
            reactor.callWhenRunning([&] {
                begun.open();
                pool.stop();
            });
        });
        pool.run(false);
        listener.join();
        CHECK(openDescriptors() == before);
    }
}

TEST_CASE("a maker of factories that makes none is an error of run") {
    ReactorPool pool(2);
    pool.listenTCP(0, [](Reactor&) { return std::shared_ptr<Factory>(); });
    CHECK_THROWS_AS(pool.run(false), ValueError);
}

TEST_CASE("what fails in a later set-up stops all, then comes out of run") {
    ReactorPool pool(3);
    Shutdowns shutdowns(pool);
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() != 1) return;
        reactor.callWhenRunning([&] {
            pool.forEach([&](Reactor&) {
                if (pool.current() == 2) throw ValueError("too late");
            });
        });
    });
    CHECK_THROWS_WITH_AS(pool.run(false), "too late", ValueError);
    CHECK(shutdowns.total() == 3);
}

TEST_CASE("SIGTERM stops all reactors of a pool") {
    ReactorPool pool(3);
    Shutdowns shutdowns(pool);
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) reactor.callWhenRunning([] { ::kill(::getpid(), SIGTERM); });
    });
    pool.run();
    CHECK(shutdowns.total() == 3);
}

TEST_CASE("the end of one reactor, in whatever way, is the end of the pool") {
    for (const bool crash : {false, true}) {
        for (std::size_t which = 0; which < 3; ++which) {
            ReactorPool pool(3);
            Shutdowns shutdowns(pool);
            pool.forEach([&](Reactor& reactor) {
                if (pool.current() != which) return;
                reactor.callLater(0s, [&reactor, crash] { crash ? reactor.crash() : reactor.stop(); });
            });
            pool.run(false);
            CHECK(shutdowns.total() == (crash ? 2 : 3));
        }
    }
}

TEST_CASE("set-up goes through the reactors one after the other, in the order in which it was asked for") {
    ReactorPool pool(3);
    std::vector<std::string> order;  // without a lock
    pool.forEach([&](Reactor&) { order.push_back("a" + std::to_string(pool.current())); });
    pool.listenTCP(0, [&](Reactor&) {
        order.push_back("b" + std::to_string(pool.current()));
        return Factory::forProtocol<PoolEcho>();
    });
    pool.forEach([&](Reactor&) { order.push_back("c" + std::to_string(pool.current())); });
    pool.forEach([&](Reactor&) {
        if (pool.current() == 2) pool.stop();
    });
    pool.run(false);
    CHECK(order == std::vector<std::string>{"a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"});
}

TEST_CASE("a running pool begins to listen, and stops; connections stay") {
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        ReactorPool pool(3, way);
        Tally tally(3);
        const std::ptrdiff_t before = openDescriptors();
        runBeside(pool, [&] {
            const auto port = listenTallied(pool, tally);
            BlockingClient client(portOf(port));
            CHECK(client.ask("before") == "before");
            port->stopListening();
            while (BlockingClient(portOf(port)).connected()) std::this_thread::yield();
            CHECK(client.ask("after") == "after");
        });
        CHECK(tally.lost == tally.made);
        CHECK(openDescriptors() == before);
    }
}

TEST_CASE("one factory serves all reactors, if it says that it can") {
    class Together : public Factory {
    public:
        std::shared_ptr<Protocol> buildProtocol(const Address&) override {
            ++built;
            return std::make_shared<PoolEcho>();
        }
        void startFactory() override { ++started; }
        void stopFactory() override { ++stopped; }
        std::atomic<int> built{0};
        int started = 0;
        int stopped = 0;
    };
    for (const Accepting way : kBothWays) {
        CAPTURE(nameOf(way));
        ReactorPool pool(3, way);
        const auto factory = std::make_shared<Together>();
        const SharedFactory shared(factory);
        const auto one = pool.listenTCP(0, shared), other = pool.listenTCP(0, shared);
        runBeside(pool, [&] {
            for (int i = 0; i < 30; ++i) {
                CHECK(BlockingClient(portOf(one)).ask("one") == "one");
                CHECK(BlockingClient(portOf(other)).ask("other") == "other");
            }
        });
        CHECK(factory->built == 60);
        CHECK(factory->started == 1);
        CHECK(factory->stopped == 1);
        CHECK(factory->numPorts() == 0);
    }
}
