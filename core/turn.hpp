#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor_counters.hpp>
#include <torsion/core/reactor_time.hpp>
#include <torsion/core/ticks.hpp>

namespace torsion {

class Turn;

/// Something with work to do before the reactor waits again: a transport with gathered writes. Belongs to one Turn
/// while it is scheduled; its destruction takes it out.
class EndOfTurn {
public:
    EndOfTurn() noexcept = default;
    EndOfTurn(const EndOfTurn&) = delete;
    EndOfTurn& operator=(const EndOfTurn&) = delete;

    /// Whether endOfTurn is still to come.
    bool scheduled() const noexcept { return turn_ != nullptr; }

protected:
    ~EndOfTurn();

private:
    friend class Turn;

    /// The work. Must not throw.
    virtual void endOfTurn() noexcept = 0;

    Turn* turn_ = nullptr;
    std::uint32_t depth_ = 0;
    std::uint32_t place_ = 0;
};

/// What belongs to one pass of a reactor's loop, and is shared by all its connections: work for the end of the pass,
/// objects that die then, the read buffer, and blocks of scratch.
class Turn {
public:
    explicit Turn(ReactorTime& clock);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

    /// The clock for every wait of a transport.
    ReactorTime& clock() noexcept { return clock_; }

    /// Calls @p work at the end of this turn. Innermost first: of all that
    /// is scheduled, the greatest @p depth goes first, so that what a TLS layer writes is sent in the same pass by the
    /// layers below it. Idempotent.
    void atEnd(EndOfTurn& work, unsigned depth);

    /// Calls @p function early in the next turn, in order of posting.
    void later(Function<void()> function);

    /// Keeps @p object until the end of this turn, because one of its methods may be on the stack.
    void deferDeletion(std::shared_ptr<void> object);

    /// Room for one read, shared by all connections of the reactor: valid until the reader's callback returns.
    std::span<char> readBuffer() noexcept { return {readBuffer_.get(), kReadSize}; }
    static constexpr std::size_t kReadSize = 65536;

    /// A block of kBlockSize octets for the length of one delivery. Blocks form a stack, so nested layers never share
    /// one.
    class Lease {
    public:
        explicit Lease(Turn& turn);
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease();
        std::span<char> block() const noexcept { return {block_.get(), kBlockSize}; }

    private:
        Turn& turn_;
        std::unique_ptr<char[]> block_;
    };
    static constexpr std::size_t kBlockSize = 32768;

    /// Notes the time, if this is the first callback of the turn.
    void mark() noexcept {
        if (begun_ == 0) [[unlikely]]
            begun_ = detail::ticks();
    }
    /// For the reactor: when the turn began, in ticks; the next has not begun then.
    std::uint64_t takeBeginning() noexcept { return std::exchange(begun_, 0); }

    /// For transports and the reactor: where to count what they do.
    ReactorCounters& counters() noexcept { return counters_; }
    const ReactorCounters& counters() const noexcept { return counters_; }

    /// An empty Bytes that has room already, and where to leave it afterwards: writers gather in them.
    Bytes takeBytes();
    void giveBytes(Bytes&& bytes) noexcept;

    /// Whether something waits for the next turn or the end of this one: then the reactor must not block.
    bool busy() const noexcept { return scheduled_ != 0 || !later_.empty() || !dying_.empty(); }

    /// For the reactor: runs what later() has posted before now.
    void begin();

    /// For the reactor: the end of the turn. Runs all scheduled work, then destroys what was deferred.
    void end() noexcept;

    /// For the reactor's destructor: runs nothing more, destroys all that is held, in rounds until nothing is left.
    void clear() noexcept;

private:
    friend class EndOfTurn;

    void remove(EndOfTurn& work) noexcept;
    void runScheduled() noexcept;

    ReactorTime& clock_;
    std::uint64_t begun_ = 0;  ///< in ticks; 0 while it has not
    ReactorCounters counters_;
    std::unique_ptr<char[]> readBuffer_;
    std::vector<std::vector<EndOfTurn*>> byDepth_;
    std::size_t scheduled_ = 0;
    std::vector<Function<void()>> later_;
    std::vector<Function<void()>> functions_;  ///< those that begin() runs; its memory is kept, as is round_'s
    std::vector<std::shared_ptr<void>> dying_;
    std::vector<std::shared_ptr<void>> round_;  ///< those that end() destroys
    std::vector<std::unique_ptr<char[]>> blocks_;
    std::vector<Bytes> spare_;
};

}  // namespace torsion
