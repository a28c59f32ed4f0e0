#include <torsion/transports/output_queue.hpp>

namespace torsion {

void OutputQueue::append(BytesView data) {
    if (data.empty()) return;
    size_ += data.size();
    if (gathering_ && slices_.size() > first_ && slices_.back().size() + data.size() <= kGatherUpTo) {
        slices_.back().append(data);
        return;
    }
    Bytes slice = turn_.takeBytes();
    slice.append(data);
    slices_.push_back(std::move(slice));
    gathering_ = true;
}

void OutputQueue::append(Bytes&& data) {
    if (data.size() < kCopyBelow) {
        append(BytesView(data));
        return;
    }
    size_ += data.size();
    slices_.push_back(std::move(data));
    gathering_ = false;
}

std::size_t OutputQueue::peek(std::span<iovec> pieces) const noexcept {
    std::size_t count = 0;
    std::size_t skip = consumed_;
    for (std::size_t i = first_; i < slices_.size() && count < pieces.size(); ++i) {
        pieces[count].iov_base = const_cast<char*>(slices_[i].data()) + skip;
        pieces[count].iov_len = slices_[i].size() - skip;
        skip = 0;
        ++count;
    }
    return count;
}

void OutputQueue::consume(std::size_t octets) noexcept {
    size_ -= octets;
    if (size_ == 0) {
        clear();
        return;
    }
    octets += consumed_;
    while (octets >= slices_[first_].size()) {
        octets -= slices_[first_].size();
        turn_.giveBytes(std::move(slices_[first_]));
        slices_[first_] = Bytes();
        ++first_;
    }
    consumed_ = octets;
    // Dropped slices must not pile up in front for as long as the queue never empties.
    if (first_ > 64 && first_ * 2 > slices_.size()) {
        slices_.erase(slices_.begin(), slices_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void OutputQueue::clear() noexcept {
    for (std::size_t i = first_; i < slices_.size(); ++i) turn_.giveBytes(std::move(slices_[i]));
    slices_.clear();
    first_ = consumed_ = size_ = 0;
}

}  // namespace torsion
