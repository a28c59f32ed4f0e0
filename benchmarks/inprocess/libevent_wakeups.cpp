// How many calls a second one other thread can post to a libevent loop: a queue, and event_active when it was empty.

#include <event2/event.h>
#include <event2/thread.h>
#include <torsion/benchmarks/inprocess/call_queue.hpp>
#include <torsion/benchmarks/inprocess/peer_report.hpp>

#include <thread>

int main() {
    report::check(evthread_use_pthreads() == 0, "evthread_use_pthreads");
    event_base* const base = event_base_new();
    report::check(base != nullptr, "event_base_new");
    peers::CallQueue queue;
    event* const wake = event_new(
        base, -1, EV_PERSIST,
        [](evutil_socket_t, short, void* argument) { static_cast<peers::CallQueue*>(argument)->run(); }, &queue);
    report::check(wake != nullptr, "event_new");
    const double rate = report::perSecond(peers::kCalls, [&] {
        std::size_t ran = 0;
        std::thread producer([&] {
            for (std::size_t i = 0; i < peers::kCalls; ++i) {
                const bool empty = queue.put([&] {
                    if (++ran == peers::kCalls) event_base_loopexit(base, nullptr);
                });
                if (empty) event_active(wake, EV_READ, 0);
            }
        });
        event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
        producer.join();
        report::check(ran == peers::kCalls, "running all calls");
    });
    report::printOf("libevent", "wakeups/callFromThread", "calls/s", rate);
}
