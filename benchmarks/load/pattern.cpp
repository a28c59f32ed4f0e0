#include "pattern.hpp"

#include <algorithm>

namespace {

constexpr std::size_t kPrime = 4099;
constexpr std::size_t kFewestLines = 3;

}  // namespace

Pattern::Pattern(std::size_t lineSize)
    : period_(lineSize == 0 ? kPrime : lineSize * std::max(kPrime / lineSize, kFewestLines)) {
    std::uint32_t state = 1;
    octets_.reserve(period_ + kChunk);
    for (std::size_t i = 0; i < period_; ++i) {
        state = state * 1664525 + 1013904223;  // a linear congruential generator; its high bits are the good ones
        const auto octet = state >> 24;
        if (lineSize == 0)
            octets_ += static_cast<char>(octet);
        else
            octets_ += static_cast<char>('!' + octet % 90);
    }
    for (std::size_t end = lineSize; lineSize != 0 && end <= period_; end += lineSize) {
        octets_[end - 2] = '\r';
        octets_[end - 1] = '\n';
    }
    while (octets_.size() < period_ + kChunk) octets_.append(octets_, 0, period_ + kChunk - octets_.size());
}
