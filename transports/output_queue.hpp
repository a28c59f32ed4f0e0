#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <utility>

#include <torsion/core/bytes.hpp>
#include <torsion/core/loan.hpp>
#include <torsion/core/turn.hpp>

namespace torsion {

/// What waits to be sent: slices in order. Small writes are copied together, large owned ones are kept as they are. One
/// with nothing in it owns no memory.
class OutputQueue {
public:
    explicit OutputQueue(Turn& turn) noexcept : turn_(turn) {}
    OutputQueue(const OutputQueue&) = delete;
    OutputQueue& operator=(const OutputQueue&) = delete;
    ~OutputQueue() { clear(); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    void append(BytesView data);
    void append(Bytes&& data);

    /// The same without a copy, for as long as @p data stays what it is: until then keep() or clear() must be called.
    /// So what is sent back as it came, mostly whole, is never copied.
    /// @return false if it does not stand where the loan before it ends: then it has to be appended
    [[nodiscard]] bool lend(BytesView data) { return lendFirst(data) || lendBehind(data); }

    /// lend() in two parts, for a caller who has to be short: nearly always the first will do.
    [[nodiscard]] bool lendFirst(BytesView data) noexcept {
        if (size_ != lent_.size() || !detail::extendLoan(lent_, data)) return false;
        if (size_ != 0) ++turn_.counters().writesCoalesced;
        size_ += data.size();
        return true;
    }
    /// Lines that lie whole in a read come behind one that was cut by it.
    [[nodiscard]] bool lendBehind(BytesView data);

    /// Copies what is lent and still waits.
    void keep() {
        if (size_ != 0) keepLoans();
    }

    /// All that waits, if it is one loan; empty otherwise.
    BytesView loan() const noexcept { return size_ == lent_.size() ? lent_ : BytesView(); }

    /// The first slices, as many as fit in @p pieces. @return how many there are
    std::size_t peek(std::span<iovec> pieces) const noexcept;

    /// Drops the first @p octets.
    void consume(std::size_t octets) noexcept {
        size_ -= octets;
        if (octets <= lent_.size()) {
            lent_.remove_prefix(octets);
        } else {
            consumeSlices(octets - std::exchange(lent_, {}).size());
        }
    }

    void clear() noexcept {
        lent_ = {};
        size_ = 0;
        while (first_ != nullptr) dropFirst();
    }

private:
    struct Slice {
        Slice(Bytes&& data, bool takesMore) noexcept : octets(std::move(data)), gathers(takesMore) {}

        std::size_t size() const noexcept { return octets.size() + lent.size(); }

        Bytes octets;
        BytesView lent;  ///< behind them; only the last slice may have it
        bool gathers;    ///< takes more: one that was handed over would have to grow
        Slice* next = nullptr;
    };

    /// Below this a copy is cheaper than a piece of its own in the send.
    static constexpr std::size_t kCopyBelow = 4096;
    /// A slice that is gathered grows to this.
    static constexpr std::size_t kGatherUpTo = 128U << 10;

    void add(Slice* slice) noexcept;
    void keepLoans();
    void keepFirst();
    void keepLast();
    void consumeSlices(std::size_t octets) noexcept;
    void dropFirst() noexcept;

    Turn& turn_;
    std::size_t size_ = 0;
    BytesView lent_;            ///< before all slices
    Slice* first_ = nullptr;    ///< owned, as is each one's next
    Slice* last_ = nullptr;     ///< valid while first_ is not null
    std::size_t consumed_ = 0;  ///< how much of the first slice is gone
};

}  // namespace torsion
