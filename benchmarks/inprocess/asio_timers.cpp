// How long Asio takes to schedule, cancel, reset and fire a timer: expires_after and async_wait, cancel. A timer that
// is cancelled or reset has its callback called with operation_aborted: timers/cancel-called is with that.

#define ASIO_STANDALONE 1
#define ASIO_NO_DEPRECATED 1

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <asio.hpp>
#pragma GCC diagnostic pop

#include <torsion/benchmarks/inprocess/peer_timers.hpp>

#include <vector>

namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;

struct Loop {
    static constexpr bool kCancelCalls = true;

    Loop() {
        timers.reserve(peers::kTimers + peers::kLive);
        for (std::size_t i = 0; i < peers::kTimers + peers::kLive; ++i) timers.emplace_back(io);
    }

    void schedule(std::size_t i, peers::Delay delay) { reset(i, delay); }

    void cancel(std::size_t i) { timers[i].cancel(); }

    void reset(std::size_t i, peers::Delay delay) {
        timers[i].expires_after(delay);
        timers[i].async_wait([&count = counts.of(i)](asio::error_code error) {
            if (!error) ++count;
        });
    }

    void turn() {
        io.restart();
        io.poll();
    }

    asio::io_context io{ASIO_CONCURRENCY_HINT_UNSAFE};
    std::vector<Timer> timers;
    peers::Counts counts;
};

}  // namespace

int main() { peers::measureTimers<Loop>("asio"); }
