#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

/// The endless stream of octets that all connections send, each from an offset of its own.
///
/// It repeats after a period, and is laid out a little longer than that: whatever the offset, kChunk octets from there
/// lie in one piece, to be sent and to be compared without a copy.
class Pattern {
public:
    static constexpr std::size_t kChunk = 64 * 1024;

    /// @param lineSize  0: any octets, of a prime period so that no power of two hides a mistake; else lines of so many
    ///                  octets, each with its CRLF.
    explicit Pattern(std::size_t lineSize);

    /// kChunk octets of the stream from @p offset.
    const char* at(std::uint64_t offset) const { return octets_.data() + offset % period_; }

private:
    std::size_t period_;
    std::string octets_;
};
