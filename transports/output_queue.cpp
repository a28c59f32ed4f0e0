#include <torsion/transports/output_queue.hpp>

#include <algorithm>

#include <torsion/core/pool.hpp>

namespace torsion {

void OutputQueue::add(Slice* slice) noexcept {
    if (first_ == nullptr) {
        first_ = slice;
    } else {
        last_->next = slice;
    }
    last_ = slice;
}

void OutputQueue::append(BytesView data) {
    if (data.empty()) return;
    if (size_ != 0) ++turn_.counters().writesCoalesced;
    if (!lent_.empty() && lent_.size() < kCopyBelow) keepFirst();
    keepLast();
    if (first_ == nullptr || !last_->gathers || last_->octets.size() + data.size() > kGatherUpTo) {
        add(detail::poolNew<Slice>(turn_.takeBytes(), true));
    }
    last_->octets.append(data);
    size_ += data.size();
}

void OutputQueue::append(Bytes&& data) {
    if (data.size() < kCopyBelow) {
        append(BytesView(data));
        turn_.giveBytes(std::move(data));
        return;
    }
    const std::size_t octets = data.size();
    if (size_ != 0) ++turn_.counters().writesCoalesced;
    keepLast();
    add(detail::poolNew<Slice>(std::move(data), false));
    size_ += octets;
}

bool OutputQueue::lendBehind(BytesView data) {
    if (first_ == nullptr) return false;  // there is nothing but a loan, with a gap behind it
    const bool begins = last_->lent.empty();
    if (begins && (!last_->gathers || last_->octets.size() + Turn::kReadSize > kGatherUpTo)) {
        add(detail::poolNew<Slice>(Bytes(), true));
    }
    if (!detail::extendLoan(last_->lent, data)) return false;
    ++turn_.counters().writesCoalesced;
    size_ += data.size();
    return true;
}

void OutputQueue::keepLoans() {
    if (!lent_.empty()) keepFirst();
    keepLast();
}

void OutputQueue::keepFirst() {
    Bytes octets = turn_.takeBytes();
    octets.append(lent_);
    auto* slice = detail::poolNew<Slice>(std::move(octets), first_ == nullptr);
    slice->next = first_;
    if (first_ == nullptr) last_ = slice;
    first_ = slice;
    lent_ = {};
}

void OutputQueue::keepLast() {
    if (first_ == nullptr || last_->lent.empty()) return;
    if (last_->octets.empty()) last_->octets = turn_.takeBytes();
    last_->octets.append(std::exchange(last_->lent, {}));
}

std::size_t OutputQueue::peek(std::span<iovec> pieces) const noexcept {
    std::size_t count = 0;
    const auto give = [&](BytesView view) {
        if (!view.empty() && count < pieces.size()) pieces[count++] = {const_cast<char*>(view.data()), view.size()};
    };
    give(lent_);
    std::size_t skip = consumed_;
    for (const Slice* slice = first_; slice != nullptr && count < pieces.size(); slice = slice->next) {
        const std::size_t own = std::min(skip, slice->octets.size());
        give(BytesView(slice->octets).substr(own));
        give(slice->lent.substr(skip - own));
        skip = 0;
    }
    return count;
}

void OutputQueue::consumeSlices(std::size_t octets) noexcept {
    while (octets != 0) {
        const std::size_t left = first_->size() - consumed_;
        if (octets < left) {
            consumed_ += octets;
            return;
        }
        octets -= left;
        dropFirst();
    }
}

void OutputQueue::dropFirst() noexcept {
    Slice* const slice = first_;
    first_ = slice->next;
    consumed_ = 0;
    turn_.giveBytes(std::move(slice->octets));
    detail::poolDelete(slice);
}

}  // namespace torsion
