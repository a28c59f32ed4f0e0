#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/testing/clock.hpp>

using namespace torsion;

namespace {

class Work final : public EndOfTurn {
public:
    explicit Work(std::function<void()> what) : what_(std::move(what)) {}

private:
    void endOfTurn() noexcept override { what_(); }
    std::function<void()> what_;
};

using Order = std::vector<int>;

}  // namespace

TEST_CASE("what is posted runs in the next turn, in order; what that posts, in the one after") {
    task::Clock clock;
    Turn& turn = clock.turn();
    Order ran;
    CHECK(!turn.busy());
    turn.later([&] {
        ran.push_back(1);
        turn.later([&] { ran.push_back(3); });
    });
    turn.later([&] { ran.push_back(2); });
    CHECK(turn.busy());
    turn.begin();
    CHECK(ran == Order{1, 2});
    CHECK(turn.busy());
    turn.begin();
    CHECK(ran == Order{1, 2, 3});
    CHECK(!turn.busy());
}

TEST_CASE("an exception from what is posted is logged, and the rest runs (TR-13)") {
    int errors = 0;
    const int observer = log::addObserver([&](const log::Event&) { ++errors; });
    task::Clock clock;
    bool ran = false;
    clock.turn().later([] { throw ValueError("no"); });
    clock.turn().later([&] { ran = true; });
    clock.turn().begin();
    log::removeObserver(observer);
    CHECK(errors == 1);
    CHECK(ran);
}

TEST_CASE("the end of a turn runs the deepest layer first, also what is scheduled meanwhile") {
    task::Clock clock;
    Turn& turn = clock.turn();
    Order ran;
    Work outer([&] { ran.push_back(0); });
    Work middle([&] {
        ran.push_back(1);
        turn.atEnd(outer, 0);  // a layer writes to the one below: it is sent in the same pass
    });
    Work inner([&] {
        ran.push_back(2);
        turn.atEnd(middle, 1);
    });
    turn.atEnd(outer, 0);
    turn.atEnd(inner, 2);
    turn.atEnd(inner, 2);  // idempotent
    CHECK(inner.scheduled());
    turn.end();
    CHECK(ran == Order{2, 1, 0});
    CHECK(!inner.scheduled());
    CHECK(!turn.busy());
    turn.end();
    CHECK(ran.size() == 3);
}

TEST_CASE("deeper work that is scheduled by shallower work still runs in the same turn") {
    task::Clock clock;
    Turn& turn = clock.turn();
    Order ran;
    Work deep([&] { ran.push_back(5); });
    Work shallow([&] {
        ran.push_back(0);
        turn.atEnd(deep, 5);
    });
    turn.atEnd(shallow, 0);
    turn.end();
    CHECK(ran == Order{0, 5});
}

TEST_CASE("scheduled work may be destroyed before the end of the turn, by itself or by other work") {
    task::Clock clock;
    Turn& turn = clock.turn();
    Order ran;
    auto victim = std::make_unique<Work>([&] { ran.push_back(9); });
    auto early = std::make_unique<Work>([&] { ran.push_back(8); });
    Work killer([&] {
        ran.push_back(1);
        victim.reset();
    });
    Work last([&] { ran.push_back(2); });
    turn.atEnd(last, 0);
    turn.atEnd(*victim, 0);
    turn.atEnd(*early, 3);
    turn.atEnd(killer, 1);
    early.reset();
    turn.end();
    CHECK(ran == Order{1, 2});
    CHECK(!turn.busy());
}

TEST_CASE("what is deferred dies at the end of the turn, after all work, and in rounds") {
    task::Clock clock;
    Turn& turn = clock.turn();
    Order ran;
    struct Dies {
        std::function<void()> at;
        ~Dies() { at(); }
    };
    Work work([&] { ran.push_back(1); });
    turn.deferDeletion(std::make_shared<Dies>(Dies{[] {}}));
    turn.end();
    auto second = std::make_shared<Dies>();
    second->at = [&] { ran.push_back(3); };
    auto first = std::make_shared<Dies>();
    first->at = [&ran, &turn, second = std::move(second)]() mutable {
        ran.push_back(2);
        turn.deferDeletion(std::move(second));
    };
    turn.deferDeletion(std::move(first));
    turn.atEnd(work, 0);
    CHECK(turn.busy());
    CHECK(ran.empty());
    turn.end();
    CHECK(ran == Order{1, 2, 3});
}

TEST_CASE("clearing a turn runs nothing, and destroys all that is posted and deferred, and what that adds") {
    task::Clock clock;
    Turn& turn = clock.turn();
    bool ran = false;
    Work work([&] { ran = true; });
    const auto object = std::make_shared<int>(1);
    struct Again {
        Turn& turn;
        std::shared_ptr<int> held;
        ~Again() {
            turn.later([keep = held] {});
        }
    };
    turn.atEnd(work, 2);
    turn.later([&ran, object] { ran = true; });
    turn.deferDeletion(std::shared_ptr<Again>(new Again{turn, object}));
    CHECK(object.use_count() == 3);
    turn.clear();
    CHECK(object.use_count() == 1);
    CHECK(!ran);
    CHECK(!work.scheduled());
    CHECK(!turn.busy());
    turn.atEnd(work, 0);
    turn.end();
    CHECK(ran);
}

TEST_CASE("work outlives its turn") {
    Work work([] {});
    {
        task::Clock clock;
        clock.turn().atEnd(work, 1);
    }
    CHECK(!work.scheduled());
}

TEST_CASE("leases nest, each with a block of its own, and blocks are used again") {
    task::Clock clock;
    char* firstBlock = nullptr;
    {
        const Turn::Lease outer(clock.turn());
        const Turn::Lease inner(clock.turn());
        CHECK(outer.block().size() == Turn::kBlockSize);
        CHECK(outer.block().data() != inner.block().data());
        std::fill(outer.block().begin(), outer.block().end(), 'o');
        std::fill(inner.block().begin(), inner.block().end(), 'i');
        CHECK(std::count(outer.block().begin(), outer.block().end(), 'o') == Turn::kBlockSize);
        firstBlock = outer.block().data();
    }
    const Turn::Lease again(clock.turn());
    CHECK(again.block().data() == firstBlock);
    CHECK(clock.turn().readBuffer().size() == Turn::kReadSize);
    CHECK(&clock.turn().clock() == &clock);
}

TEST_CASE("buffers that are given back are lent again, empty") {
    task::Clock clock;
    Bytes bytes = clock.turn().takeBytes();
    CHECK(bytes.empty());
    bytes.assign(5000, 'x');
    const char* const memory = bytes.data();
    clock.turn().giveBytes(std::move(bytes));
    const Bytes again = clock.turn().takeBytes();
    CHECK(again.empty());
    CHECK(again.data() == memory);
}
