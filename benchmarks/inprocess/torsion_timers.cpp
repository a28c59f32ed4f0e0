// How long it takes to schedule, cancel, reset and fire a timer, while many others are live.
//
//     torsion_timers [--live N] [--count M]
//
// `timers/reset` gives each its own delay again, in random order, as connections do with their idle timeouts.
// `timers/cancel-waited` is `timers/cancel` of timers over which the reactor has waited meanwhile.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <torsion/benchmarks/inprocess/torsion_report.hpp>
#include <torsion/reactor/libevent_reactor.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kSeed = 20240601;

class Timers {
public:
    Timers(std::size_t live, std::size_t count) : random_(kSeed), count_(count) {
        for (std::size_t i = 0; i < live; ++i) reactor_.callLater(between(1s, 100s), [] {});
        calls_.reserve(count_);
        for (std::size_t i = 0; i < count_; ++i) delays_.push_back(between(10s, 60s));  // none comes up before it is to
        for (std::size_t i = 0; i < count_; ++i) order_.push_back(i);
        std::shuffle(order_.begin(), order_.end(), random_);
        passTurns();
    }

    /// Schedules all. @return ns each
    double schedule() {
        calls_.clear();
        const report::Stopwatch watch;
        for (const Duration delay : delays_) {
            calls_.push_back(reactor_.callLater(delay, [this] { ++fired_; }));
        }
        return watch.nanosecondsEach(count_);
    }

    double cancel() {
        const report::Stopwatch watch;
        for (const std::size_t i : order_) calls_[i].cancel();
        return watch.nanosecondsEach(count_);
    }

    double reset() {
        const report::Stopwatch watch;
        for (const std::size_t i : order_) calls_[i].reset(delays_[i]);
        return watch.nanosecondsEach(count_);
    }

    /// All are due when the loop comes to them.
    double fire() {
        calls_.clear();
        fired_ = 0;
        double each = 0;
        for (const Duration delay : delays_) {
            reactor_.callLater(delay / 60000, [this] { ++fired_; });
        }
        std::this_thread::sleep_for(2ms);
        const report::Stopwatch watch;
        reactor_.callLater(0s, [this, &each, &watch] {
            each = watch.nanosecondsEach(count_);
            reactor_.stop();
        });
        reactor_.run(false);
        if (fired_ != count_) std::abort();
        return each;
    }

    /// Lets the loop run until it would wait.
    void passTurns() {
        reactor_.callLater(0s, [this] { reactor_.callLater(0s, [this] { reactor_.stop(); }); });
        reactor_.run(false);
    }

private:
    Duration between(Duration least, Duration most) {
        return Duration(std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(random_));
    }

    LibeventReactor reactor_;
    std::mt19937 random_;
    std::size_t count_;
    std::size_t fired_ = 0;
    std::vector<Duration> delays_;
    std::vector<std::size_t> order_;
    std::vector<DelayedCall> calls_;
};

}  // namespace

int main(int argc, char** argv) {
    std::size_t live = 10000;
    std::size_t count = 100000;
    for (int i = 1; i < argc; i += 2) {
        std::size_t* const option = std::strcmp(argv[i], "--live") == 0    ? &live
                                    : std::strcmp(argv[i], "--count") == 0 ? &count
                                                                           : nullptr;
        if (option == nullptr || i + 1 == argc) {
            std::fputs("usage: torsion_timers [--live N] [--count M]\n", stderr);
            return 64;
        }
        *option = std::strtoul(argv[i + 1], nullptr, 10);
    }
    if (count == 0) count = 1;
    std::fprintf(stderr, "seed %u, %zu timers, %zu others live\n", kSeed, count, live);
    Timers timers(live, count);
    std::vector<double> schedule, cancel, waited, reset, fire;
    for (std::size_t i = 0; i < report::kRepeats; ++i) {
        schedule.push_back(timers.schedule());
        cancel.push_back(timers.cancel());
        timers.schedule();
        reset.push_back(timers.reset());
        timers.passTurns();
        waited.push_back(timers.cancel());
        timers.passTurns();
        fire.push_back(timers.fire());
    }
    report::print("timers/schedule", "ns", report::median(schedule));
    report::print("timers/cancel", "ns", report::median(cancel));
    report::print("timers/cancel-waited", "ns", report::median(waited));
    report::print("timers/reset", "ns", report::median(reset));
    report::print("timers/fire", "ns", report::median(fire));
}
