// The programs of docs/reactors.md, so that they compile. A test compares the two.

#include <atomic>
#include <set>
#include <vector>

#include <torsion/torsion.hpp>

using namespace torsion;

namespace echo {

// [echo]
class Echo : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

void serve() {
    ReactorPool pool;  // as many reactors as there are processors to run on
    pool.listenTCP(8000, [](Reactor&) { return Factory::forProtocol<Echo>(); });
    pool.run();  // until a signal, or pool.stop()
}
// [end]

}  // namespace echo

namespace shared {

// [shared]
class Counter : public Factory {
public:
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        ++connections;
        return std::make_shared<echo::Echo>();
    }
    std::atomic<long> connections{0};  // several threads build protocols at the same time
};

void serve(ReactorPool& pool) { pool.listenTCP(8000, SharedFactory(std::make_shared<Counter>())); }
// [end]

}  // namespace shared

namespace chat {

// [chat]
/// One room for all connections of all reactors. Each reactor has a Room of its own with those that it serves.
class Room {
public:
    void join(Protocol& member) { members_.insert(&member); }
    void leave(Protocol& member) { members_.erase(&member); }
    void say(const Bytes& line) {
        for (Protocol* member : members_) member->transport().write(line);
    }

private:
    std::set<Protocol*> members_;
};

struct House {
    explicit House(std::size_t reactors) : pool(reactors), rooms(reactors) {}

    /// From any reactor: every room hears it, each on its own thread, the lines of one speaker in order.
    void say(Bytes line) {
        for (std::size_t i = 0; i < pool.size(); ++i) {
            pool.reactor(i).callFromThread([this, i, line] { rooms[i].say(line); });
        }
    }

    ReactorPool pool;
    std::vector<Room> rooms;
};

class Guest : public Protocol {
public:
    Guest(House& house, Room& room) : house_(house), room_(room) {}
    void connectionMade() override { room_.join(*this); }
    void dataReceived(BytesView data) override { house_.say(Bytes(data)); }
    void connectionLost(const Failure&) override { room_.leave(*this); }

private:
    House& house_;
    Room& room_;
};

void serve() {
    House house(4);
    house.pool.listenTCP(8000, [&house](Reactor&) {
        Room& room = house.rooms[house.pool.current()];
        return Factory::forProtocol<Guest>(std::ref(house), std::ref(room));
    });
    house.pool.run();
}
// [end]

}  // namespace chat

namespace ask {

// [ask]
Deferred<std::size_t> total(ReactorPool& pool, const std::vector<std::size_t>& counts) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < pool.size(); ++i) {
        auto count = [&counts, i] { return counts[i]; };  // each is reactor i's own
        auto answer = co_await threads::deferToReactor(pool.reactor(pool.current()), pool.reactor(i), count);
        sum += answer;
    }
    co_return sum;
}
// [end]

}  // namespace ask

namespace counting {

// [counting]
/// Tells every ten seconds what has happened since, and how long turns take.
void watch(LibeventReactor& reactor, ReactorCounters before) {
    reactor.callLater(std::chrono::seconds(10), [&reactor, before] {
        const ReactorCounters now = reactor.counters();
        log::msg(std::to_string(now.bytesReceived - before.bytesReceived) +
                 " octets came, 99 % of the turns took up to " +
                 std::to_string(now.turnQuantile(0.99) / std::chrono::microseconds(1)) + " us");
        log::msg(now.text());  // a line for each number
        watch(reactor, now);
    });
}
// [end]

// [slow]
void findTheSlow(LibeventReactor& reactor) {
    reactor.warnOfSlowCallbacks(std::chrono::milliseconds(50));  // "slow callback: Till held up the reactor for 82 ms"
}
// [end]

}  // namespace counting
