#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

/// What the system may do to a program, on purpose and at a chosen place.
namespace torsion::testing {

/// The system calls that a FaultPlan can change.
enum class Call : unsigned char {
    socket,
    bind,
    listen,
    connect,
    accept,  ///< accept and accept4
    recv,
    recvmsg,
    read,
    readv,
    send,
    sendmsg,
    write,
    writev,
    shutdown,
    getsockopt,
    setsockopt,
    epollWait,
};
constexpr std::size_t kCalls = 17;

/// Its name, such as "recv".
const char* callName(Call call) noexcept;

/// Faults of system calls, for the code under test: the third recv is reset, every other write is short, memory for
/// sockets runs out. The library itself has no seam for it and pays nothing: one source of the test program includes
/// <torsion/testing/fault_calls.hpp>, which puts itself before the C library's functions; in other programs install()
/// throws. It works with the shared library and with the archives.
///
/// @code
///     FaultPlan plan;
///     plan.nth(Call::recv, 3).returns(ECONNRESET);
///     plan.every(Call::sendmsg, 2).shortens(1);
///     const auto installed = plan.install();
/// @endcode
///
/// A plan counts and changes the calls of the thread that installed it, for as long as what install() returned lives.
/// What a changed call reports has not happened: a recv that fails leaves the octets where they are.
class FaultPlan {
public:
    FaultPlan() = default;
    FaultPlan(const FaultPlan&) = delete;
    FaultPlan& operator=(const FaultPlan&) = delete;

    /// What happens to the calls that a rule is about.
    class Rule {
    public:
        /// The call fails with @p error, an errno. EINTR and EAGAIN are what a spurious wake-up looks like.
        FaultPlan& returns(int error);
        /// The call moves at most @p octets, at least one: a short read or write. For calls that move octets.
        /// @throws ValueError for other calls, or zero
        FaultPlan& shortens(std::size_t octets);
        /// A read reports the end of the stream. @throws ValueError for other calls
        FaultPlan& ends();

    private:
        friend class FaultPlan;
        Rule(FaultPlan& plan, Call call, std::uint64_t first, std::uint64_t period, std::uint64_t count) noexcept
            : plan_(plan), call_(call), first_(first), period_(period), count_(count) {}
        FaultPlan& plan_;
        Call call_;
        std::uint64_t first_, period_, count_;
    };

    /// The @p number th call from now on, counted from 1. @throws ValueError for zero
    Rule nth(Call call, std::uint64_t number);
    /// Each @p period th call. @throws ValueError for zero
    Rule every(Call call, std::uint64_t period = 1);
    /// All calls behind the first @p number.
    Rule after(Call call, std::uint64_t number);

    /// Each write to a socket or pipe takes a random part of what it is given, one octet at least; each read from one
    /// brings such a part.
    FaultPlan& shortWrites(std::uint32_t seed);
    FaultPlan& shortReads(std::uint32_t seed);

    /// What random() does, in thousandths of the calls of a kind.
    struct Rates {
        unsigned interrupted = 30;  ///< EINTR, of calls that report it
        unsigned again = 50;        ///< EAGAIN, of reads, writes and accepts
        unsigned shortened = 300;   ///< reads and writes
        unsigned broken = 5;        ///< a read is reset or ends, a write is reset or finds no peer
        unsigned refused = 5;       ///< connect and socket fail, accept loses its connection
        unsigned exhausted = 0;     ///< socket and accept find no descriptor or memory; a port then rests for a while
    };
    /// Faults of all kinds, by chance, on sockets and pipes and on what waits for them; files are left alone. Print the
    /// seed, or take it from printedSeed().
    FaultPlan& random(std::uint32_t seed, const Rates& rates);
    FaultPlan& random(std::uint32_t seed) { return random(seed, Rates()); }

    /// Ends the plan for this thread at its destruction; the plan must outlive it. Plans do not nest.
    class Installed {
    public:
        Installed(const Installed&) = delete;
        Installed& operator=(const Installed&) = delete;
        ~Installed();

    private:
        friend class FaultPlan;
        explicit Installed(FaultPlan& plan);
    };

    /// Begins to count and to change calls. @throws RuntimeError if no source of this program includes
    /// <torsion/testing/fault_calls.hpp>, or if a plan is installed on this thread
    [[nodiscard]] Installed install() { return Installed(*this); }

    /// How many calls there were, of one kind or of all.
    std::uint64_t calls(Call call) const noexcept { return counts_[static_cast<std::size_t>(call)]; }
    std::uint64_t calls() const noexcept;

    /// How many of them were changed.
    std::uint64_t faults() const noexcept { return faults_; }

    /// The latest of those, oldest first, such as "recv 3 on descriptor 7: ECONNRESET".
    std::vector<std::string> log() const;
    static constexpr std::size_t kLogLength = 200;

    /// For fault_calls.hpp: what becomes of a call.
    struct Verdict {
        enum class Kind : unsigned char { pass, fail, end } kind = Kind::pass;
        int error = 0;
        std::size_t most = std::numeric_limits<std::size_t>::max();  ///< octets, if it passes
    };
    Verdict judge(Call call, int descriptor, std::size_t octets);
    /// The plan of this thread, or null.
    static FaultPlan* current() noexcept;
    /// Called by fault_calls.hpp before main.
    static bool linked() noexcept;

private:
    struct Fault {
        Call call;
        std::uint64_t first, period, count;
        Verdict verdict;
    };
    struct Note {
        Call call;
        std::uint64_t number;
        int descriptor;
        Verdict verdict;
    };

    FaultPlan& add(const Rule& rule, const Verdict& verdict);
    Verdict decide(Call call, std::uint64_t number, int descriptor, std::size_t octets);
    Verdict roll(Call call, int descriptor, std::size_t octets);
    static bool streams(int descriptor) noexcept;
    std::size_t part(std::size_t octets);

    std::array<std::uint64_t, kCalls> counts_{};
    std::vector<Fault> rules_;
    std::mt19937 engine_;
    Rates rates_{0, 0, 0, 0, 0, 0};
    bool shortWrites_ = false;
    bool shortReads_ = false;
    std::uint64_t faults_ = 0;
    std::vector<Note> notes_;  ///< a ring once it is full
    std::size_t oldest_ = 0;
};

}  // namespace torsion::testing
