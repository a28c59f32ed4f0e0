#include "figures.hpp"

#include <fmt/format.h>

std::string describe(const LoadOptions& options) {
    return fmt::format(R"({{"case": "{}", "tls": {}, "connections": {}, "size": {}, )", options.caseName, options.tls,
                       options.connections, options.size);
}

std::string describe(const LoadOptions& options, const char* unit, double units, double all, const Moment& begin,
                     const Moment& end, const Histogram& latencies) {
    auto text =
        describe(options) + fmt::format(R"("unit": "{}", "units": {:.10g}, "units_in_all": {:.10g}, "seconds": {:.6f})",
                                        unit, units, all, end.wall - begin.wall);
    if (options.pid != 0) text += fmt::format(R"(, "server_cpu_seconds": {:.9f})", end.server - begin.server);
    text += fmt::format(R"(, "load_cpu_seconds": {:.9f})", end.load - begin.load);
    if (latencies.count() != 0)
        text += fmt::format(R"(, "latency_us": {{"p50": {:.1f}, "p99": {:.1f}}})", latencies.quantile(0.5),
                            latencies.quantile(0.99));
    return text + "}";
}
