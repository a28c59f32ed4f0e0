#pragma once

#include <cstddef>

#include <torsion/core/bytes.hpp>

namespace torsion::testing::detail {

/// Octets that are added at one end and taken at the other, in linear time.
class ByteQueue {
public:
    void append(BytesView data) { octets_.append(data); }

    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ > octets_.size() / 2) {
            octets_.erase(0, begin_);
            begin_ = 0;
        }
    }

    void clear() noexcept {
        octets_.clear();
        begin_ = 0;
    }

    BytesView view() const noexcept { return BytesView(octets_).substr(begin_); }
    std::size_t size() const noexcept { return octets_.size() - begin_; }
    bool empty() const noexcept { return size() == 0; }

private:
    Bytes octets_;
    std::size_t begin_ = 0;
};

}  // namespace torsion::testing::detail
