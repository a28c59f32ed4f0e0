// How long libevent takes to schedule, cancel, reset and fire a timer: evtimer_assign, evtimer_add, evtimer_del.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <torsion/benchmarks/inprocess/peer_timers.hpp>

#include <vector>

namespace {

struct Loop {
    static constexpr bool kCancelCalls = false;

    Loop() : events(peers::kTimers + peers::kLive) {
        event_config* const configuration = event_config_new();
        event_config_set_flag(configuration, EVENT_BASE_FLAG_NOLOCK);
        base = event_base_new_with_config(configuration);
        report::check(base != nullptr, "event_base_new");
        event_config_free(configuration);
    }

    void schedule(std::size_t i, peers::Delay delay) {
        const auto fired = [](evutil_socket_t, short, void* count) { ++*static_cast<std::size_t*>(count); };
        evtimer_assign(&events[i], base, fired, &counts.of(i));
        reset(i, delay);
    }

    void cancel(std::size_t i) { evtimer_del(&events[i]); }

    void reset(std::size_t i, peers::Delay delay) {
        const timeval wait{delay.count() / 1000000, delay.count() % 1000000};
        evtimer_add(&events[i], &wait);
    }

    void turn() { event_base_loop(base, EVLOOP_NONBLOCK); }

    event_base* base = nullptr;
    std::vector<event> events;
    peers::Counts counts;
};

}  // namespace

int main() { peers::measureTimers<Loop>("libevent"); }
