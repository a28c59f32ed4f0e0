// How many calls a second one other thread can post to an Asio loop, which one thread runs: asio::post.

#define ASIO_STANDALONE 1
#define ASIO_NO_DEPRECATED 1

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <asio.hpp>
#pragma GCC diagnostic pop

#include <torsion/benchmarks/inprocess/peer_report.hpp>

#include <thread>

int main() {
    constexpr std::size_t kCalls = 1000000;
    asio::io_context io(1);
    const auto work = asio::make_work_guard(io);
    const double rate = report::perSecond(kCalls, [&] {
        std::size_t ran = 0;
        io.restart();
        std::thread producer([&] {
            for (std::size_t i = 0; i < kCalls; ++i) {
                asio::post(io, [&] {
                    if (++ran == kCalls) io.stop();
                });
            }
        });
        io.run();
        producer.join();
        report::check(ran == kCalls, "running all calls");
    });
    report::printOf("asio", "wakeups/callFromThread", "calls/s", rate);
}
