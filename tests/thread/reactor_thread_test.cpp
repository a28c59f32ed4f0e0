#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>

using namespace torsion;

TEST_CASE("callFromThread runs on the reactor's thread, each caller's calls in order (TH-1)") {
    LibeventReactor reactor;
    constexpr int kThreads = 4, kCalls = 5000;
    std::vector<int> next(kThreads, 0);
    int left = kThreads * kCalls;
    const std::thread::id self = std::this_thread::get_id();
    std::vector<std::thread> threads;
    reactor.callWhenRunning([&] {
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kCalls; ++i) {
                    reactor.callFromThread([&, t, i] {
                        CHECK(std::this_thread::get_id() == self);
                        CHECK(next[static_cast<std::size_t>(t)]++ == i);
                        if (--left == 0) reactor.stop();
                    });
                }
            });
        }
    });
    reactor.run(false);
    for (std::thread& thread : threads) thread.join();
    CHECK(left == 0);
}

TEST_CASE("an exception in a call from a thread is logged and stops nothing (TH-1)") {
    LibeventReactor reactor;
    std::string text;
    const int number = log::addObserver([&](const log::Event& event) { text = std::string(event.text); });
    std::thread thread([&] {
        reactor.callFromThread([] { throw ValueError("from a thread"); });
        reactor.callFromThread([&] { reactor.stop(); });
    });
    reactor.run(false);
    thread.join();
    log::removeObserver(number);
    CHECK(text == "while calling from thread");
}

TEST_CASE("calls posted before run wait for it, and those posted by a call wait for the next pass (TH-2)") {
    LibeventReactor reactor;
    std::vector<int> order;
    reactor.callFromThread([&] {
        reactor.callFromThread([&] {
            order.push_back(3);
            reactor.stop();
        });
        order.push_back(1);
        reactor.turn().later([&] { order.push_back(2); });  // runs in this pass, before the posted one
    });
    CHECK(order.empty());
    reactor.run(false);
    CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("a thread that waits for each of its calls wakes the reactor each time (TH-1)") {
    LibeventReactor reactor;
    std::atomic<int> ran{0};
    std::thread thread;
    reactor.callWhenRunning([&] {
        thread = std::thread([&] {
            for (int i = 0; i < 2000; ++i) {
                reactor.callFromThread([&] { ++ran; });
                while (ran <= i) std::this_thread::yield();  // by now the reactor sleeps, or is about to
            }
            reactor.callFromThread([&] { reactor.stop(); });
        });
    });
    reactor.run(false);
    thread.join();
    CHECK(ran == 2000);
}

TEST_CASE("any number of calls may wait for a reactor, burst after burst, and run in order (TH-2)") {
    LibeventReactor reactor;
    for (const int calls : {20000, 10, 20000}) {
        int next = 0;
        int misplaced = 0;
        for (int i = 0; i < calls; ++i) {
            reactor.callFromThread([&, i] { misplaced += next++ == i ? 0 : 1; });
        }
        reactor.callFromThread([&] { reactor.stop(); });
        reactor.run(false);
        CHECK(next == calls);
        CHECK(misplaced == 0);
    }
}

TEST_CASE("stop may be called from any thread") {
    LibeventReactor reactor;
    std::atomic<bool> running{false};
    reactor.callWhenRunning([&] { running = true; });
    std::thread thread([&] {
        while (!running) std::this_thread::yield();
        reactor.stop();
    });
    reactor.run(false);
    thread.join();
    CHECK(!reactor.running());
}

TEST_CASE("what a thread posts may be the end of the reactor that it is posted to") {
    std::atomic<int> ended{0};
    for (int round = 0; round < 200; ++round) {
        std::promise<LibeventReactor*> made;
        std::thread thread([&] {
            LibeventReactor reactor;
            reactor.callWhenRunning([&] { made.set_value(&reactor); });
            reactor.run(false);
            ++ended;
        });
        LibeventReactor& reactor = *made.get_future().get();
        if (round % 2 == 0) {
            reactor.callFromThread([&] { reactor.stop(); });
        } else {
            reactor.stop();
        }
        thread.join();
    }
    CHECK(ended == 200);
}

TEST_CASE("two reactors run on two threads and post to each other") {
    LibeventReactor here;
    std::atomic<LibeventReactor*> there{nullptr};
    int echoes = 0;
    std::thread thread([&] {
        LibeventReactor other;
        there = &other;
        other.run(false);
        there = nullptr;
    });
    while (there == nullptr) std::this_thread::yield();
    LibeventReactor& other = *there;
    struct Player {
        static void play(LibeventReactor& to, LibeventReactor& back, int& count) {
            to.callFromThread([&] {
                back.callFromThread([&] {
                    if (++count == 1000) {
                        to.callFromThread([&to] { to.stop(); });
                        back.stop();
                    } else {
                        play(to, back, count);
                    }
                });
            });
        }
    };
    here.callWhenRunning([&] { Player::play(other, here, echoes); });
    here.run(false);
    thread.join();
    CHECK(echoes == 1000);
}

TEST_CASE("a stop from a thread that comes too late for its run does not stop the next one (D22)") {
    LibeventReactor reactor;
    reactor.addSystemEventTrigger(SystemEventPhase::after, "shutdown", [&]() -> Deferred<void> {
        std::thread([&] { reactor.stop(); }).join();
        return defer::succeed();
    });
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run(false);
    bool later = false;
    reactor.callLater(std::chrono::milliseconds(1), [&] {
        later = true;
        reactor.stop();
    });
    reactor.run(false);
    CHECK(later);
}
