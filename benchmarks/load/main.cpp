/// bench_load: puts one kind of load on an echo server, from one thread, and tells what it cost the server.

#include "cases.hpp"
#include "failure.hpp"
#include "loop.hpp"

#include <sys/resource.h>

#include <cstdio>

namespace {

/// As many files as we may have; there must be enough for the connections.
void raiseFileLimit(std::size_t connections) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    constexpr std::size_t kOthers = 16;
    if (connections + kOthers > limit.rlim_cur)
        fail("{} connections need more open files than the {} that are allowed; raise the limit (ulimit -n)",
             connections, limit.rlim_cur);
}

std::string run(const LoadOptions& options) {
    raiseFileLimit(options.connections);
    Loop loop(options.patience);
    LoadContext context(options, loop);
    if (options.caseName == "idle") return runIdle(context);
    if (options.caseName == "connect" || options.caseName == "resume") return runChurn(context);
    return runSteady(context);
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parseOptions(argc, argv);
    try {
        std::puts(run(options).c_str());
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_load: {}: {}\n", options.caseName, error.what());
        return 1;
    }
}
