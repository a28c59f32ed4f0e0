#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/thread_pool.hpp>

#include "gate.hpp"

using namespace torsion;
using namespace std::chrono_literals;

TEST_CASE("work queued before start runs after start, in order (TH-5)") {
    ThreadPool pool(0, 1);
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) pool.callInThread([&order, i] { order.push_back(i); });
    CHECK(pool.threads() == 0);
    CHECK(pool.queued() == 5);
    pool.start();
    pool.stop();
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("the pool grows on demand up to its maximum (TH-5)") {
    ThreadPool pool(0, 3);
    pool.start();
    CHECK(pool.threads() == 0);
    Gate gate;
    for (std::size_t i = 1; i <= 3; ++i) {
        pool.callInThread([&] {
            gate.arrive();
            gate.wait();
        });
        CHECK(pool.threads() == i);
    }
    pool.callInThread([&] { gate.arrive(); });
    gate.waitForArrivals(3);
    CHECK(pool.threads() == 3);
    CHECK(pool.queued() == 1);
    gate.open();
    gate.waitForArrivals(4);
    pool.stop();
    CHECK(pool.threads() == 0);
}

TEST_CASE("an idle thread is used before a new one is made (TH-5)") {
    ThreadPool pool(1, 5);
    pool.start();
    CHECK(pool.threads() == 1);
    for (int i = 0; i < 10; ++i) {
        Gate gate;
        pool.callInThread([&] { gate.arrive(); });
        gate.waitForArrivals(1);
    }
    // A thread whose job is just over may not be idle yet, so a second one may have been made; never one a job.
    CHECK(pool.threads() < 5);
}

TEST_CASE("adjustPoolsize makes threads up to the minimum and ends those above the maximum (TH-5)") {
    ThreadPool pool(0, 4);
    pool.start();
    pool.adjustPoolsize(4, 4);
    CHECK(pool.threads() == 4);
    pool.adjustPoolsize(0, 1);
    while (pool.threads() > 1) std::this_thread::yield();
    Gate gate;
    pool.callInThread([&] { gate.arrive(); });
    gate.waitForArrivals(1);
    CHECK(pool.threads() == 1);
}

TEST_CASE("after stop, work is dropped silently; start begins anew (TH-6)") {
    ThreadPool pool;
    pool.start();
    pool.stop();
    auto token = std::make_shared<int>(0);
    bool ran = false;
    pool.callInThread([token, &ran] { ran = true; });
    CHECK(token.use_count() == 1);
    CHECK(pool.queued() == 0);
    pool.start();
    std::atomic<bool> again{false};
    pool.callInThread([&] { again = true; });
    pool.stop();
    CHECK_FALSE(ran);
    CHECK(again);
}

TEST_CASE("stop lets what is queued run, and waits for it (TH-6)") {
    ThreadPool pool(0, 1);
    pool.start();
    Gate gate;
    int ran = 0;
    pool.callInThread([&] { gate.wait(); });
    for (int i = 0; i < 3; ++i) pool.callInThread([&] { ++ran; });
    std::thread opener([&] { gate.open(); });
    pool.stop();
    CHECK(ran == 3);
    opener.join();
}

TEST_CASE("what was never started is dropped with its jobs (TH-6)") {
    auto token = std::make_shared<int>(0);
    {
        ThreadPool pool;
        pool.callInThread([token] {});
        CHECK(token.use_count() == 2);
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("stop with patience lets go of a thread that is stuck, and drops what is queued (TH-6)") {
    const auto gate = std::make_shared<Gate>();
    auto token = std::make_shared<int>(0);
    ThreadPool pool(0, 1);
    pool.start();
    pool.callInThread([gate] {
        gate->arrive();
        gate->wait();
        gate->leave();
    });
    pool.callInThread([token] {});
    gate->waitForArrivals(1);
    CHECK_FALSE(pool.stop(10ms));
    CHECK(token.use_count() == 1);
    CHECK(pool.threads() == 0);
    pool.start();
    std::atomic<bool> ran{false};
    pool.callInThread([&] { ran = true; });
    CHECK(pool.stop(60s));
    CHECK(ran);
    gate->open();
    gate->waitForLeavers(1);
}

TEST_CASE("an exception ends neither the thread nor the pool; it is logged (TH-5) (TP-4)") {
    std::atomic<int> logged{0};
    const int observer = log::addObserver([&](const log::Event& event) {
        if (event.failure != nullptr) ++logged;
    });
    ThreadPool pool(0, 1);
    pool.start();
    std::atomic<bool> ran{false};
    pool.callInThread([] { throw ValueError("in a thread"); });
    pool.callInThread([&] { ran = true; });
    pool.stop();
    log::removeObserver(observer);
    CHECK(ran);
    CHECK(logged == 1);
}

TEST_CASE("a pool cannot be stopped from inside (TH-6)") {
    ThreadPool pool(0, 1);
    pool.start();
    std::atomic<bool> refused{false};
    pool.callInThread([&] {
        try {
            pool.stop();
        } catch (const RuntimeError&) {
            refused = true;
        }
    });
    pool.stop();
    CHECK(refused);
}

TEST_CASE("threads of a pool take no signals (SE-7)") {
    ThreadPool pool(0, 1);
    pool.start();
    bool blocked = false;
    pool.callInThread([&] {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
    });
    pool.stop();
    CHECK(blocked);
}

TEST_CASE("many threads may give work at the same time (TH-5)") {
    ThreadPool pool(0, 4);
    pool.start();
    std::atomic<int> ran{0};
    std::vector<std::thread> givers;
    for (int i = 0; i < 4; ++i) {
        givers.emplace_back([&] {
            for (int j = 0; j < 500; ++j) pool.callInThread([&] { ++ran; });
        });
    }
    for (std::thread& giver : givers) giver.join();
    pool.stop();
    CHECK(ran == 2000);
}

TEST_CASE("limits that make no sense are refused (TH-5) (TP-3)") {
    CHECK_THROWS_AS(ThreadPool(2, 1), ValueError);
    CHECK_THROWS_AS(ThreadPool(0, 0), ValueError);
    ThreadPool pool;
    CHECK_THROWS_AS(pool.adjustPoolsize(3, 2), ValueError);
    CHECK_THROWS_AS(pool.callInThread(nullptr), ValueError);
}
