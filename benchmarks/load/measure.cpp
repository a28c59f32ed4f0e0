#include "measure.hpp"

#include "failure.hpp"

#include <algorithm>
#include <bit>
#include <fstream>

namespace {

double seconds(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0) failErrno("cannot read the processor time of the server (has it ended?)");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

Nanoseconds monotonicNow() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * Nanoseconds{1000000000} + time.tv_nsec;
}

std::uint64_t privateMemory(pid_t pid) {
    const auto path = fmt::format("/proc/{}/smaps_rollup", pid);
    std::ifstream file(path);
    for (std::string name; file >> name;)
        if (std::uint64_t kilobytes = 0; name == "Private_Dirty:" && file >> kilobytes) return kilobytes * 1024;
    fail("{} does not tell the private dirty memory of the server", path);
}

Meter::Meter(pid_t server) : hasServer_(server != 0) {
    if (!hasServer_) return;
    if (const int code = clock_getcpuclockid(server, &server_); code != 0)
        fail("there is no processor clock of process {}: {}", server, std::strerror(code));
}

Moment Meter::now() const {
    return {seconds(CLOCK_MONOTONIC), hasServer_ ? seconds(server_) : 0, seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

void Histogram::add(Nanoseconds value) {
    const auto number = static_cast<std::uint64_t>(std::max<Nanoseconds>(value, 0));
    const auto width = static_cast<unsigned>(std::bit_width(number));
    const auto shift = width > kBits + 1 ? width - kBits - 1 : 0;
    ++buckets_[(shift << kBits) + (number >> shift)];
    ++count_;
}

double Histogram::quantile(double share) const {
    const auto wanted = share * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        seen += buckets_[i];
        if (seen == 0 || static_cast<double>(seen) < wanted) continue;
        const auto shift = i < (2u << kBits) ? 0 : (i >> kBits) - 1;
        return static_cast<double>((i - (shift << kBits)) << shift) / 1000;
    }
    return 0;
}
