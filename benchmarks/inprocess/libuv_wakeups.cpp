// How many calls a second one other thread can post to a libuv loop: a queue, and uv_async_send when it was empty.

#include <uv.h>
#include <torsion/benchmarks/inprocess/call_queue.hpp>
#include <torsion/benchmarks/inprocess/peer_report.hpp>

#include <thread>

int main() {
    uv_loop_t loop;
    report::check(uv_loop_init(&loop) == 0, "uv_loop_init");
    peers::CallQueue queue;
    uv_async_t wake;
    const auto run = [](uv_async_t* handle) { static_cast<peers::CallQueue*>(handle->data)->run(); };
    report::check(uv_async_init(&loop, &wake, run) == 0, "uv_async_init");
    wake.data = &queue;
    const double rate = report::perSecond(peers::kCalls, [&] {
        std::size_t ran = 0;
        std::thread producer([&] {
            for (std::size_t i = 0; i < peers::kCalls; ++i) {
                const bool empty = queue.put([&] {
                    if (++ran == peers::kCalls) uv_stop(&loop);
                });
                if (empty) uv_async_send(&wake);
            }
        });
        uv_run(&loop, UV_RUN_DEFAULT);
        producer.join();
        report::check(ran == peers::kCalls, "running all calls");
    });
    report::printOf("libuv", "wakeups/callFromThread", "calls/s", rate);
}
