#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include <torsion/core/timer_heap.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

using Order = std::vector<std::size_t>;

/// What a TimerHeap should do, written as simply as it can be: one flat list that is searched from end to end. A call
/// that is put off takes its new place among equals when its old deadline comes up first.
class Model {
public:
    void add(Duration deadline) { calls_.push_back({deadline, deadline, number_++, true}); }
    void cancel(std::size_t call) { calls_[call].live = false; }
    void moveTo(std::size_t call, Duration deadline) {
        Call& moved = calls_[call];
        moved.deadline = deadline;
        if (deadline < moved.key) {
            moved.key = deadline;
            moved.number = number_++;
        }
    }
    bool live(std::size_t call) const { return calls_[call].live; }
    Duration deadline(std::size_t call) const { return calls_[call].deadline; }
    std::size_t size() const {
        return static_cast<std::size_t>(
            std::count_if(calls_.begin(), calls_.end(), [](const Call& c) { return c.live; }));
    }

    std::optional<Duration> next() {
        const std::optional<std::size_t> first = earliest();
        if (!first) return std::nullopt;
        return calls_[*first].deadline;
    }

    Order runDue(Duration now) {
        Order ran;
        for (std::optional<std::size_t> first = earliest(); first && deadline(*first) <= now; first = earliest()) {
            calls_[*first].live = false;
            ran.push_back(*first);
        }
        return ran;
    }

private:
    struct Call {
        Duration deadline;
        Duration key;
        std::uint64_t number;
        bool live;
    };

    std::optional<std::size_t> earliest() {
        for (;;) {
            std::optional<std::size_t> first;
            for (std::size_t i = 0; i < calls_.size(); ++i) {
                const Call& call = calls_[i];
                if (!call.live) continue;
                if (!first || call.key < calls_[*first].key ||
                    (call.key == calls_[*first].key && call.number < calls_[*first].number)) {
                    first = i;
                }
            }
            if (!first || calls_[*first].key == calls_[*first].deadline) return first;
            calls_[*first].key = calls_[*first].deadline;
            calls_[*first].number = number_++;
        }
    }

    std::vector<Call> calls_;
    std::uint64_t number_ = 0;
};

/// The heap and its model under the same random calls.
void compare(std::uint32_t seed, unsigned addsOfTen) {
    INFO("seed ", seed, ", of ten steps that add, ", addsOfTen);
    std::mt19937 random(seed);
    const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
    Duration now{};
    TimerHeap heap([&now] { return now; });
    Model model;
    std::vector<DelayedCall> calls;
    Order ran;
    for (int step = 0; step < 3000; ++step) {
        // Few different deadlines, so that many are equal.
        const Duration delay = std::chrono::milliseconds(below(20));
        const std::size_t what = below(100);
        if (calls.empty() || what < addsOfTen * 10) {
            const std::size_t number = calls.size();
            calls.push_back(heap.add(now + delay, [&ran, number] { ran.push_back(number); }));
            model.add(now + delay);
        } else if (what < 94) {
            const std::size_t call = calls.size() - 1 - below(std::min<std::size_t>(calls.size(), 200));
            REQUIRE(calls[call].active() == model.live(call));
            if (!model.live(call)) continue;
            REQUIRE(calls[call].getTime() == model.deadline(call));
            if (below(2) == 0) {
                calls[call].cancel();
                model.cancel(call);
            } else {
                calls[call].reset(delay);
                model.moveTo(call, now + delay);
            }
        } else if (what < 97) {
            REQUIRE(heap.next() == model.next());
            REQUIRE(heap.pending().size() == model.size());
        } else {
            now += std::chrono::milliseconds(below(6));
            ran.clear();
            const std::size_t count = heap.runDue(now);
            REQUIRE(ran == model.runDue(now));
            REQUIRE(count == ran.size());
            REQUIRE(heap.next() == model.next());
        }
    }
}

}  // namespace

TEST_CASE("random adding, cancelling, moving and running gives what a plain list gives (DC-2, DC-4, D8)") {
    std::mt19937 seeds(20261121);
    for (unsigned round = 0; round < 24; ++round) {
        compare(static_cast<std::uint32_t>(seeds()), 3 + round % 6);
    }
}

TEST_CASE("equal deadlines keep their order, wherever their calls lie when they come up (D8)") {
    Duration now{};
    TimerHeap heap([&now] { return now; });
    Order ran;
    Order expected;
    std::vector<DelayedCall> cancelled;
    const auto add = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t number = expected.size();
            expected.push_back(number);
            heap.add(1s, [&ran, number] { ran.push_back(number); });
            cancelled.push_back(heap.add(1s, [] { FAIL("cancelled"); }));
        }
    };
    add(100);
    CHECK(heap.next() == 1s);  // these have been sorted
    add(3);
    CHECK(heap.next() == 1s);
    add(200);
    for (DelayedCall& call : cancelled) call.cancel();  // leaves holes, and closes them
    add(5);
    for (std::size_t i = cancelled.size() - 5; i < cancelled.size(); ++i) cancelled[i].cancel();
    now = 1s;
    heap.runDue(now);
    CHECK(ran == expected);
}

TEST_CASE("a call of a pass may run a pass of its own (DC-2)") {
    Duration now{};
    TimerHeap heap([&now] { return now; });
    Order ran;
    heap.add(0s, [&] {
        ran.push_back(1);
        heap.add(0s, [&] { ran.push_back(2); });
        CHECK(heap.runDue(now) == 1);
    });
    heap.add(0s, [&] { ran.push_back(3); });
    CHECK(heap.runDue(now) == 2);
    CHECK(ran == Order{1, 2, 3});
}

TEST_CASE("what the functions of a dying clock add is cancelled, too") {
    struct Adds {
        TimerHeap* heap;
        int left;
        ~Adds() {
            if (left > 0) heap->add(1s, [next = std::make_shared<Adds>(Adds::make(heap, left - 1))] {});
        }
        static Adds make(TimerHeap* heap, int left) { return Adds{heap, left}; }
        Adds(TimerHeap* h, int l) : heap(h), left(l) {}
        Adds(Adds&& other) noexcept : heap(other.heap), left(std::exchange(other.left, 0)) {}
    };
    TimerHeap heap([] { return Duration(); });
    DelayedCall call = heap.add(1s, [first = std::make_shared<Adds>(&heap, 3)] {});
    heap.clear();
    CHECK(!call.active());
    CHECK(heap.pending().empty());
    CHECK(!heap.next());
}
