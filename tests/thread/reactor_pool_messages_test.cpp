#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/defer_later.hpp>
#include <torsion/core/defer_to_reactor.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/threads.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/tests/thread/gate.hpp>
#include <torsion/tests/thread/watchdog.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

/// Runs @p pool with @p function called on the thread of its first reactor.
void runWith(ReactorPool& pool, Function<void()> function) {
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) reactor.callWhenRunning([&] { function(); });
    });
    pool.run(false);
}

/// Opens a gate when it is destroyed.
struct Opener {
    explicit Opener(Gate& g) : gate(g) {}
    Opener(const Opener&) = delete;
    Opener& operator=(const Opener&) = delete;
    ~Opener() { gate.open(); }
    Gate& gate;
};

constexpr const char* kEndedFirst = "The reactor that was called ended before there was a result";

}  // namespace

TEST_CASE("reactors of a pool post to each other, round and round") {
    ReactorPool pool(3);
    std::vector<int> visits(pool.size(), 0);
    struct Traveller {
        void travel(std::size_t to) {
            pool.reactor(to).callFromThread([this, to] {
                CHECK(pool.current() == to);
                ++visits[to];
                if (--left == 0) return pool.stop();
                travel((to + 1) % pool.size());
            });
        }
        ReactorPool& pool;
        std::vector<int>& visits;
        int left = 3000;
    } traveller{pool, visits};
    traveller.travel(0);  // before run: waits for it
    pool.run(false);
    CHECK(visits == std::vector<int>(3, 1000));
}

TEST_CASE("what one reactor posts to another arrives in order") {
    constexpr int kCalls = 3000;
    ReactorPool pool(3);
    std::vector<std::vector<int>> next(3, std::vector<int>(3, 0));  // [to][from]
    std::atomic<int> left{3 * 3 * kCalls};
    std::atomic<int> outOfOrder{0};
    pool.forEach([&](Reactor& reactor) {
        reactor.callWhenRunning([&] {
            const std::size_t from = pool.current();
            for (int i = 0; i < kCalls; ++i) {
                for (std::size_t to = 0; to < pool.size(); ++to) {
                    pool.reactor(to).callFromThread([&, i, from, to] {
                        if (next[to][from]++ != i) ++outOfOrder;
                        if (--left == 0) pool.stop();
                    });
                }
            }
        });
    });
    pool.run(false);
    CHECK(left == 0);
    CHECK(outOfOrder == 0);
}

TEST_CASE("deferToReactor brings back values, Deferreds' values and failures, each on its own thread") {
    ReactorPool pool(2);
    std::vector<std::string> results;
    const auto note = [&](std::string result) {
        CHECK(pool.current() == 0);
        results.push_back(std::move(result));
    };
    runWith(pool, [&] {
        ReactorThreads &here = pool.reactor(0), &there = pool.reactor(1);
        threads::deferToReactor(here, there, [&] { return std::to_string(pool.current()); }).addCallback(note);
        threads::deferToReactor(
            here, there, [](std::string a, std::string b) { return a + b; }, std::string("ar"), std::string("gs"))
            .addCallback(note);
        threads::deferToReactor(here, there, [] {}).addCallback([&] { note("void"); });
        threads::deferToReactor(here, there, [&]() -> std::string {
            throw ValueError("thrown there");
        }).addErrback([&](const Failure& failure) {
            note(failure.getErrorMessage());
            return std::string();
        });
        threads::deferToReactor(here, there, [&] {
            return task::deferLater(*LibeventReactor::current(), 1ms, [&] {
                CHECK(pool.current() == 1);
                return std::string("later");
            });
        }).addCallback([&](std::string result) {
            note(std::move(result));
            pool.stop();
        });
    });
    CHECK(results == std::vector<std::string>{"1", "args", "void", "thrown there", "later"});
}

TEST_CASE("deferToReactor carries what can only be moved, there and back") {
    ReactorPool pool(2);
    int got = 0;
    runWith(pool, [&] {
        threads::deferToReactor(
            pool.reactor(0), pool.reactor(1),
            [](std::unique_ptr<int> number) {
                ++*number;
                return number;
            },
            std::make_unique<int>(41))
            .addCallback([&](std::unique_ptr<int> number) {
                got = *number;
                pool.stop();
            });
    });
    CHECK(got == 42);
}

TEST_CASE("a coroutine on one reactor awaits what another one does") {
    ReactorPool pool(2);
    int sum = 0;
    struct Asker {
        static Deferred<void> ask(ReactorPool& pool, int& sum) {
            for (int i = 0; i < 100; ++i) {
                auto square = [i] { return i * i; };
                auto answer = co_await threads::deferToReactor(pool.reactor(0), pool.reactor(1), square);
                sum += answer;
            }
            pool.stop();
        }
    };
    runWith(pool, [&] { Asker::ask(pool, sum); });
    CHECK(sum == 328350);
}

TEST_CASE("cancelling what was deferred to another reactor drops the result") {
    ReactorPool pool(2);
    bool cancelled = false, called = false;
    runWith(pool, [&] {
        auto deferred = threads::deferToReactor(pool.reactor(0), pool.reactor(1), [&] { called = true; });
        deferred.addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
        deferred.cancel();
        threads::deferToReactor(pool.reactor(0), pool.reactor(1), [] {}).addCallback([&] { pool.stop(); });
    });
    CHECK(cancelled);
    CHECK(called);
}

TEST_CASE("what another reactor never answers fails when it ends, while this one lives") {
    ReactorPool pool(2);
    std::string text;
    Deferred<void> never;  // the other reactor's
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 1) {
            reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", [&] {
                never = Deferred<void>();
                return defer::succeed();
            });
        }
    });
    runWith(pool, [&] {
        // Its end waits for the answer.
        auto answer = threads::deferToReactor(pool.reactor(0), pool.reactor(1), [&] { return never; });
        answer.addErrback([&](const Failure& failure) { text = failure.getErrorMessage(); });
        LibeventReactor::current()->addSystemEventTrigger(SystemEventPhase::before, "shutdown",
                                                          [answer] { return answer; });
        threads::deferToReactor(pool.reactor(0), pool.reactor(1), [] {}).addCallback([&] { pool.stop(); });
    });
    CHECK(text == kEndedFirst);
}

TEST_CASE("a reactor's end may ask another one that has ended already: the answer is a RuntimeError") {
    for (const bool destroyed : {false, true}) {
        CAPTURE(destroyed);
        const Watchdog watchdog("the end of a pool, one of whose reactors asks another one that has ended");
        ReactorPool pool(2);
        Gate ended;
        std::string text;
        bool called = false;
        pool.forEach([&](Reactor& reactor) {
            if (pool.current() == 0) {
                if (destroyed) {
                    reactor.callLater(1h, [opener = std::make_shared<Opener>(ended)] {});
                } else {  // it may have ended, or be just about to
                    reactor.addSystemEventTrigger(SystemEventPhase::after, "shutdown", [&] {
                        ended.open();
                        return defer::succeed();
                    });
                }
                reactor.callWhenRunning([&] { pool.stop(); });
                return;
            }
            reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
                ended.wait();
                auto flush = threads::deferToReactor(pool.reactor(1), pool.reactor(0), [&] { called = true; });
                flush.addErrback([&](const Failure& failure) { text = failure.getErrorMessage(); });
                return flush;
            });
        });
        pool.run(false);
        CHECK(!called);
        CHECK(text == kEndedFirst);
    }
}

TEST_CASE("what another reactor has begun fails when it ends, if it hangs on a timer of that reactor") {
    const Watchdog watchdog("the end of a pool, one of whose reactors waits for another one's timer");
    ReactorPool pool(2);
    std::string text;
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() != 1) return;
        reactor.callWhenRunning([&] {
            auto answer = threads::deferToReactor(pool.reactor(1), pool.reactor(0), [&] {
                LibeventReactor::current()->callLater(0s, [&] { pool.stop(); });
                return task::deferLater(*LibeventReactor::current(), 1h, [] {});
            });
            answer.addErrback([&](const Failure& failure) { text = failure.getErrorMessage(); });
            LibeventReactor::current()->addSystemEventTrigger(SystemEventPhase::before, "shutdown",
                                                              [answer] { return answer; });
        });
    });
    pool.run(false);
    CHECK(text == kEndedFirst);
}

TEST_CASE("a job that waits for another reactor is told when that has ended, so that its own can end") {
    const Watchdog watchdog("the end of a pool, a job of which waits for a reactor that has ended");
    ReactorPool pool(2);
    Gate ended;
    std::atomic<bool> refused{false};
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 0) {
            reactor.callLater(1h, [opener = std::make_shared<Opener>(ended)] {});
            return;
        }
        reactor.callWhenRunning([&] {
            LibeventReactor::current()->callInThread([&] {
                ended.wait();
                CHECK_THROWS_AS(threads::blockingCallFromThread(pool.reactor(0), [] {}), RuntimeError);
                refused = true;
            });
            pool.stop();
        });
    });
    pool.run(false);
    CHECK(refused);
}

TEST_CASE("calls that come too late are destroyed on the thread of the reactor to which they were posted") {
    const Watchdog watchdog("the end of a pool that is posted to");
    ReactorPool pool(2);
    Gate ended;
    std::thread::id owner, destroyer;
    struct Noting {
        explicit Noting(std::thread::id& t) : thread(&t) {}
        Noting(Noting&& other) noexcept : thread(std::exchange(other.thread, nullptr)) {}
        Noting& operator=(Noting&&) = delete;
        ~Noting() {
            if (thread != nullptr) *thread = std::this_thread::get_id();
        }
        std::thread::id* thread;
    };
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() == 1) {
            owner = std::this_thread::get_id();
            reactor.callLater(1h, [opener = std::make_shared<Opener>(ended)] {});
            reactor.callWhenRunning([&] { pool.stop(); });
            return;
        }
        reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
            ended.wait();
            pool.reactor(1).callFromThread([noting = Noting(destroyer)] {});
            return defer::succeed();
        });
    });
    pool.run(false);
    CHECK(destroyer == owner);
}

TEST_CASE("what is on its way between reactors when all ends is destroyed, each Deferred where nobody else is") {
    for (int round = 0; round < 20; ++round) {
        ReactorPool pool(3);
        std::atomic<int> alive{0};
        struct Counted {
            explicit Counted(std::atomic<int>& c) : count(&c) { ++*count; }
            Counted(Counted&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
            Counted& operator=(Counted&&) = delete;
            ~Counted() {
                if (count != nullptr) --*count;
            }
            std::atomic<int>* count;
        };
        struct Talker {
            static void talk(ReactorPool& pool, std::atomic<int>& alive, std::size_t from) {
                threads::deferToReactor(pool.reactor(from), pool.reactor((from + 1) % pool.size()),
                                        [token = Counted(alive)] {})
                    .addCallback([&pool, &alive, from, token = Counted(alive)] { talk(pool, alive, from); });
            }
        };
        pool.forEach([&](Reactor& reactor) {
            reactor.callWhenRunning([&] {
                for (int i = 0; i < 20; ++i) Talker::talk(pool, alive, pool.current());
                reactor.callLater(1ms, [&] { pool.stop(); });
            });
        });
        pool.run(false);
        CHECK(alive == 0);
    }
}

TEST_CASE("a thread outside waits for what a reactor of a pool comes to, and is told when there is none any more") {
    auto pool = std::make_unique<ReactorPool>(2);
    Gate over;
    int answer = 0;
    bool refused = false;
    std::thread outside([&] {
        answer = threads::blockingCallFromThread(pool->reactor(1), [&] { return static_cast<int>(pool->current()); });
        pool->stop();
        over.wait();
        try {
            threads::blockingCallFromThread(pool->reactor(1), [] {});
        } catch (const RuntimeError&) {
            refused = true;
        }
    });
    pool->run(false);
    over.open();
    outside.join();
    CHECK(answer == 1);
    CHECK(refused);
}

TEST_CASE("jobs for a reactor's threads may be asked for from anywhere") {
    ReactorPool pool(2);
    std::atomic<bool> ran{false};
    runWith(pool, [&] {
        pool.reactor(1).callInThread([&] {
            CHECK_THROWS_AS(pool.current(), RuntimeError);
            ran = true;
            pool.stop();
        });
    });
    CHECK(ran);
}

TEST_CASE("calls to a pool that never runs are destroyed with it") {
    const auto token = std::make_shared<int>(1);
    {
        ReactorPool pool(2);
        pool.reactor(1).callFromThread([token] {});
        pool.forEach([token](Reactor&) {});
        CHECK(token.use_count() == 3);
    }
    CHECK(token.use_count() == 1);
}
