#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/turn.hpp>

namespace torsion {

/// What waits to be sent: slices in order. Small writes are copied together, large owned ones are kept as they are.
class OutputQueue {
public:
    explicit OutputQueue(Turn& turn) noexcept : turn_(turn) {}

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    void append(BytesView data);
    void append(Bytes&& data);

    /// The first slices, as many as fit in @p pieces. @return how many there are
    std::size_t peek(std::span<iovec> pieces) const noexcept;

    /// Drops the first @p octets.
    void consume(std::size_t octets) noexcept;

    void clear() noexcept;

private:
    /// Below this a copy is cheaper than a piece of its own in the send.
    static constexpr std::size_t kCopyBelow = 4096;
    /// A slice that is gathered grows to this.
    static constexpr std::size_t kGatherUpTo = 128U << 10;

    Turn& turn_;
    std::vector<Bytes> slices_;
    std::size_t first_ = 0;     ///< the first slice that has something left
    std::size_t consumed_ = 0;  ///< how much of it is gone
    std::size_t size_ = 0;
    bool gathering_ = false;  ///< whether the last slice takes more: one that was handed over would have to grow
};

}  // namespace torsion
