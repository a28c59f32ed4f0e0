#include <torsion/testing/fault_plan.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include <torsion/core/error.hpp>

namespace torsion::testing {

namespace {

thread_local FaultPlan* installedPlan = nullptr;
bool callsAreLinked = false;

constexpr const char* kNames[kCalls] = {"socket",  "bind",     "listen",     "connect",    "accept",    "recv",
                                        "recvmsg", "read",     "readv",      "send",       "sendmsg",   "write",
                                        "writev",  "shutdown", "getsockopt", "setsockopt", "epoll_wait"};

bool isRead(Call call) noexcept {
    return call == Call::recv || call == Call::recvmsg || call == Call::read || call == Call::readv;
}

bool isWrite(Call call) noexcept {
    return call == Call::send || call == Call::sendmsg || call == Call::write || call == Call::writev;
}

FaultPlan::Verdict failing(int error) {
    FaultPlan::Verdict verdict;
    verdict.kind = FaultPlan::Verdict::Kind::fail;
    verdict.error = error;
    return verdict;
}

std::string describe(const FaultPlan::Verdict& verdict) {
    switch (verdict.kind) {
        case FaultPlan::Verdict::Kind::fail: {
            const char* const name = strerrorname_np(verdict.error);
            return name != nullptr ? name : fmt::format("error {}", verdict.error);
        }
        case FaultPlan::Verdict::Kind::end: return "end of stream";
        case FaultPlan::Verdict::Kind::pass: break;
    }
    return fmt::format("at most {} octets", verdict.most);
}

}  // namespace

const char* callName(Call call) noexcept { return kNames[static_cast<std::size_t>(call)]; }

// Rules.

FaultPlan& FaultPlan::Rule::returns(int error) {
    if (error <= 0) throw ValueError("FaultPlan: returns() takes an errno, such as ECONNRESET");
    return plan_.add(*this, failing(error));
}

FaultPlan& FaultPlan::Rule::shortens(std::size_t octets) {
    if (!isRead(call_) && !isWrite(call_))
        throw ValueError(fmt::format("FaultPlan: {} moves no octets, it cannot be short", callName(call_)));
    if (octets == 0) throw ValueError("FaultPlan: a short read or write has at least one octet; there is ends()");
    Verdict verdict;
    verdict.most = octets;
    return plan_.add(*this, verdict);
}

FaultPlan& FaultPlan::Rule::ends() {
    if (!isRead(call_)) throw ValueError(fmt::format("FaultPlan: {} does not read, it meets no end", callName(call_)));
    Verdict verdict;
    verdict.kind = Verdict::Kind::end;
    return plan_.add(*this, verdict);
}

FaultPlan::Rule FaultPlan::nth(Call call, std::uint64_t number) {
    if (number == 0) throw ValueError("FaultPlan: calls are counted from 1");
    return {*this, call, calls(call) + number, 1, 1};
}

FaultPlan::Rule FaultPlan::every(Call call, std::uint64_t period) {
    if (period == 0) throw ValueError("FaultPlan: a period has at least one call");
    return {*this, call, calls(call) + period, period, std::numeric_limits<std::uint64_t>::max()};
}

FaultPlan::Rule FaultPlan::after(Call call, std::uint64_t number) {
    return {*this, call, calls(call) + number + 1, 1, std::numeric_limits<std::uint64_t>::max()};
}

FaultPlan& FaultPlan::add(const Rule& rule, const Verdict& verdict) {
    rules_.push_back({rule.call_, rule.first_, rule.period_, rule.count_, verdict});
    return *this;
}

FaultPlan& FaultPlan::shortWrites(std::uint32_t seed) {
    engine_.seed(seed);
    shortWrites_ = true;
    return *this;
}

FaultPlan& FaultPlan::shortReads(std::uint32_t seed) {
    engine_.seed(seed);
    shortReads_ = true;
    return *this;
}

FaultPlan& FaultPlan::random(std::uint32_t seed, const Rates& rates) {
    engine_.seed(seed);
    rates_ = rates;
    return *this;
}

// Installation.

FaultPlan::Installed::Installed(FaultPlan& plan) {
    if (!callsAreLinked) {
        throw RuntimeError(
            "FaultPlan: this program's system calls cannot be changed. Include <torsion/testing/fault_calls.hpp> in "
            "exactly one of its sources");
    }
    if (installedPlan != nullptr) throw RuntimeError("FaultPlan: another plan is installed on this thread");
    installedPlan = &plan;
}

FaultPlan::Installed::~Installed() { installedPlan = nullptr; }

FaultPlan* FaultPlan::current() noexcept { return installedPlan; }

bool FaultPlan::linked() noexcept {
    callsAreLinked = true;
    return true;
}

// What becomes of a call.

std::uint64_t FaultPlan::calls() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum;
}

std::vector<std::string> FaultPlan::log() const {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < notes_.size(); ++i) {
        const Note& note = notes_[(oldest_ + i) % notes_.size()];
        std::string line = fmt::format("{} {}", callName(note.call), note.number);
        if (note.descriptor >= 0) line += fmt::format(" on descriptor {}", note.descriptor);
        lines.push_back(line + ": " + describe(note.verdict));
    }
    return lines;
}

FaultPlan::Verdict FaultPlan::judge(Call call, int descriptor, std::size_t octets) {
    const std::uint64_t number = ++counts_[static_cast<std::size_t>(call)];
    const Verdict verdict = decide(call, number, descriptor, octets);
    if (verdict.kind == Verdict::Kind::pass && verdict.most >= octets) return verdict;
    ++faults_;
    const Note note{call, number, descriptor, verdict};
    if (notes_.size() < kLogLength) {
        notes_.push_back(note);
    } else {
        notes_[oldest_] = note;
        oldest_ = (oldest_ + 1) % kLogLength;
    }
    return verdict;
}

FaultPlan::Verdict FaultPlan::decide(Call call, std::uint64_t number, int descriptor, std::size_t octets) {
    for (const Fault& rule : rules_) {
        if (rule.call != call || number < rule.first) continue;
        const std::uint64_t since = number - rule.first;
        if (since % rule.period == 0 && since / rule.period < rule.count) return rule.verdict;
    }
    return roll(call, descriptor, octets);
}

bool FaultPlan::streams(int descriptor) noexcept {
    struct stat kind {};
    return fstat(descriptor, &kind) == 0 && (S_ISSOCK(kind.st_mode) || S_ISFIFO(kind.st_mode));
}

std::size_t FaultPlan::part(std::size_t octets) { return octets < 2 ? octets : 1 + engine_() % octets; }

FaultPlan::Verdict FaultPlan::roll(Call call, int descriptor, std::size_t octets) {
    Verdict verdict;
    // Files and what wakes a reactor are left alone: they never do what these faults are about.
    if ((isRead(call) || isWrite(call)) && !streams(descriptor)) return verdict;
    const bool reads = isRead(call);
    const bool writes = isWrite(call);
    if ((reads && shortReads_) || (writes && shortWrites_)) {
        verdict.most = part(octets);
        return verdict;
    }
    // One number decides, whatever the kind of the call, so that a seed means the same in every build.
    unsigned chance = static_cast<unsigned>(engine_() % 1000);
    const auto falls = [&chance](unsigned rate) {
        if (chance < rate) return true;
        chance -= rate;
        return false;
    };
    const bool waits = reads || writes || call == Call::accept || call == Call::epollWait;
    if (waits && falls(rates_.interrupted)) return failing(EINTR);
    if ((reads || writes || call == Call::accept) && falls(rates_.again)) return failing(EAGAIN);
    if ((reads || writes) && falls(rates_.broken)) {
        if (writes) return failing(engine_() % 2 == 0 ? EPIPE : ECONNRESET);
        if (engine_() % 2 == 0) return failing(engine_() % 4 == 0 ? ETIMEDOUT : ECONNRESET);
        verdict.kind = Verdict::Kind::end;
        return verdict;
    }
    if ((reads || writes) && falls(rates_.shortened)) {
        verdict.most = part(octets);
        return verdict;
    }
    if (call == Call::accept && falls(rates_.refused)) return failing(ECONNABORTED);
    if (call == Call::connect && falls(rates_.refused)) return failing(engine_() % 2 == 0 ? ECONNREFUSED : ENETUNREACH);
    if ((call == Call::accept || call == Call::socket) && falls(rates_.exhausted)) {
        static constexpr int kErrors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
        return failing(kErrors[engine_() % std::size(kErrors)]);
    }
    return verdict;
}

}  // namespace torsion::testing
