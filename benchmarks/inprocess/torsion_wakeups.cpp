// How many calls a second one other thread can post to a reactor, which runs and counts them.

#include <cstddef>
#include <cstdlib>
#include <thread>

#include <torsion/benchmarks/inprocess/torsion_report.hpp>
#include <torsion/reactor/libevent_reactor.hpp>

int main() {
    constexpr std::size_t kCalls = 1000000;
    torsion::LibeventReactor reactor;
    const double rate = report::perSecond(kCalls, [&] {
        std::size_t ran = 0;
        std::thread producer;
        reactor.callWhenRunning([&] {
            producer = std::thread([&reactor, &ran] {
                for (std::size_t i = 0; i < kCalls; ++i) {
                    reactor.callFromThread([&reactor, &ran] {
                        if (++ran == kCalls) reactor.stop();
                    });
                }
            });
        });
        reactor.run(false);
        producer.join();
        if (ran != kCalls) std::abort();
    });
    report::print("wakeups/callFromThread", "calls/s", rate);
}
