#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <torsion/core/bytes.hpp>
#include <torsion/core/transport.hpp>

namespace torsion::detail {

/// What a line receiver has got and not yet interpreted. Private to the receivers of this folder.
///
/// Three parts, in the order in which they came: *held*, a copy of what earlier deliveries left; *lent*, the delivery
/// that is being interpreted, which stays the transport's; *behind*, what is added while a callback runs. A line that
/// lies in one delivery is never copied. Held octets are searched once, so dribbled input takes linear time (LR-10,
/// D10).
///
/// A view from takeLine or takeAll stays valid until the next call of findLine, takeAll or settle, whatever else is
/// called.
class LineBuffer {
public:
    static constexpr std::size_t npos = Bytes::npos;

    /// Begins a delivery. Nothing is lent yet.
    void lend(BytesView data) noexcept {
        lent_ = data;
        lentBegin_ = data.data();
    }

    /// Ends it: copies what has not been taken.
    void settle();

    /// Adds a copy of @p data behind everything else.
    void append(BytesView data) { behind_.append(data); }

    std::size_t size() const noexcept { return held_.size() - heldBegin_ + lent_.size() + behind_.size(); }
    bool empty() const noexcept { return lent_.empty() && heldBegin_ == held_.size() && behind_.empty(); }

    /// Takes the first line if all of it lies in the delivery and nothing older waits, which is nearly always so, and
    /// if it has at most @p longest octets. @return whether @p line was set
    bool takeLent(BytesView delimiter, std::size_t longest, BytesView& line) noexcept {
        if (heldBegin_ != held_.size() || !behind_.empty() || delimiter.empty()) return false;
        const std::size_t length = find(lent_, delimiter);
        if (length == npos || length > longest) return false;
        line = {lent_.data(), length};
        lent_ = {lent_.data() + length + delimiter.size(), lent_.size() - length - delimiter.size()};
        allFrom_ = Source::none;
        return true;
    }

    /// The length of the first line, or npos if no @p delimiter came yet. An empty delimiter never comes.
    std::size_t findLine(BytesView delimiter);

    /// What a line must be long at least if findLine has found no @p delimiter: only a delimiter's begin may stand at
    /// its end.
    std::size_t leastLength(BytesView delimiter) const noexcept {
        const std::size_t partial = delimiter.empty() ? 0 : delimiter.size() - 1;
        return size() - std::min(size(), partial);
    }

    /// Takes the line of which findLine has just told the length, and the delimiter behind it. @return the line
    BytesView takeLine(std::size_t length, std::size_t delimiterLength) noexcept {
        if (heldBegin_ != held_.size()) {
            const BytesView line = unreadHeld().substr(0, length);
            heldBegin_ += length + delimiterLength;
            return line;
        }
        const BytesView line = lent_.substr(0, length);
        lent_.remove_prefix(length + delimiterLength);
        return line;
    }

    /// @p line with the @p delimiter behind it where both lie as they came, if it is the line that takeLine has given
    /// last, in one delivery: to send it back, or on, it needs no copy. Empty if it is not, or the delimiter is a long
    /// one.
    BytesView asReceived(BytesView line, BytesView delimiter) const noexcept {
        const char* const end = line.data() + line.size();
        // As numbers: any pointer may be compared, but not any moved.
        const auto address = [](const char* place) { return reinterpret_cast<std::uintptr_t>(place); };
        if (address(lent_.data()) != address(end) + delimiter.size() || address(lentBegin_) > address(line.data())) {
            return {};
        }
        if (delimiter.empty() || delimiter.size() > 2 || *end != delimiter[0]) return {};
        if (delimiter.size() == 2 && end[1] != delimiter[1]) return {};
        return {line.data(), line.size() + delimiter.size()};
    }

    /// Takes everything, in one piece.
    BytesView takeAll();

    /// Gives back the end of what takeAll has given, without copying; anything else is appended.
    void giveBack(BytesView tail);

    /// Gives up everything. Safe while a callback looks at a line.
    Bytes removeAll();
    void discardAll() noexcept;

private:
    /// Whether @p delimiter stands at @p place, as its first octet does. For two a call of memcmp takes longer than
    /// this.
    static bool startsWith(const char* place, BytesView delimiter) noexcept {
        return delimiter.size() < 2 ||
               (place[1] == delimiter[1] && (delimiter.size() == 2 || startsWithLong(place, delimiter)));
    }
    static bool startsWithLong(const char* place, BytesView delimiter) noexcept;  // apart, or all calls pay for it

    /// BytesView::find, but for what is nearly always so: the first octet of a delimiter is followed by the rest.
    static std::size_t find(BytesView text, BytesView delimiter) noexcept {
        if (text.size() < delimiter.size()) return npos;
        const char* place = text.data();
        const char* const end = place + (text.size() - delimiter.size() + 1);  // none begins there any more
        while (place != end) {
            place = static_cast<const char*>(std::memchr(place, delimiter[0], static_cast<std::size_t>(end - place)));
            if (place == nullptr) break;
            if (startsWith(place, delimiter)) return static_cast<std::size_t>(place - text.data());
            ++place;
        }
        return npos;
    }

    enum class Source : unsigned char { none, held, lent };

    void mergeBehind() {
        allFrom_ = Source::none;
        if (!behind_.empty()) addBehind();
    }
    void addBehind();
    void hold(BytesView data);
    void dropHeld() noexcept;
    BytesView unreadHeld() const noexcept { return BytesView(held_).substr(heldBegin_); }

    Bytes held_;
    std::size_t heldBegin_ = 0;  ///< where the unread part of held_ begins
    std::size_t searched_ = 0;   ///< no delimiter begins before this place of held_ ...
    Bytes searchedFor_;          ///< ... if it is this one
    BytesView lent_;
    const char* lentBegin_ = nullptr;  ///< where the delivery began of which lent_ is left
    Bytes behind_;
    BytesView all_;  ///< what takeAll gave
    Source allFrom_ = Source::none;
};

/// Sends @p line and @p delimiter with one write.
void writeLine(Transport& transport, BytesView line, BytesView delimiter);

}  // namespace torsion::detail
