// How long libuv takes to schedule, cancel, reset and fire a timer: uv_timer_init, uv_timer_start, uv_timer_stop.

#include <uv.h>
#include <torsion/benchmarks/inprocess/peer_timers.hpp>

#include <vector>

namespace {

struct Loop {
    static constexpr bool kCancelCalls = false;

    Loop() : timers(peers::kTimers + peers::kLive) {
        report::check(uv_loop_init(&loop) == 0, "uv_loop_init");
        for (std::size_t i = 0; i < timers.size(); ++i) {
            uv_timer_init(&loop, &timers[i]);
            timers[i].data = &counts.of(i);
        }
    }

    void schedule(std::size_t i, peers::Delay delay) { reset(i, delay); }

    void cancel(std::size_t i) { uv_timer_stop(&timers[i]); }

    /// libuv counts in milliseconds.
    void reset(std::size_t i, peers::Delay delay) {
        const auto wait = static_cast<std::uint64_t>(delay.count() / 1000);
        uv_timer_start(
            &timers[i], [](uv_timer_t* timer) { ++*static_cast<std::size_t*>(timer->data); }, wait, 0);
    }

    void turn() { uv_run(&loop, UV_RUN_NOWAIT); }

    uv_loop_t loop;
    std::vector<uv_timer_t> timers;
    peers::Counts counts;
};

}  // namespace

int main() { peers::measureTimers<Loop>("libuv"); }
