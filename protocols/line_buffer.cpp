#include <torsion/protocols/line_buffer.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace torsion::detail {

namespace {

/// An emptied buffer that is larger than this goes back to the heap: a connection at rest costs little.
constexpr std::size_t kKeptCapacity = 512;

}  // namespace

bool LineBuffer::startsWithLong(const char* place, BytesView delimiter) noexcept {
    return BytesView(place, delimiter.size()) == delimiter;
}

void LineBuffer::dropHeld() noexcept {
    if (held_.capacity() > kKeptCapacity) {
        held_ = Bytes();
    } else {
        held_.clear();
    }
    heldBegin_ = 0;
    searched_ = 0;
}

void LineBuffer::hold(BytesView data) {
    if (heldBegin_ == held_.size()) {
        dropHeld();
    } else if (heldBegin_ > held_.size() / 2) {  // more is cut off than is moved, so all moves together are linear
        held_.erase(0, heldBegin_);
        searched_ = searched_ > heldBegin_ ? searched_ - heldBegin_ : 0;
        heldBegin_ = 0;
    }
    held_.append(data);
}

void LineBuffer::addBehind() {
    hold(std::exchange(lent_, {}));
    hold(behind_);
    behind_.clear();
}

void LineBuffer::settle() {
    mergeBehind();
    if (!lent_.empty()) hold(lent_);
    lent_ = {};
    if (heldBegin_ == held_.size()) dropHeld();
}

std::size_t LineBuffer::findLine(BytesView delimiter) {
    mergeBehind();
    if (delimiter.empty()) return npos;
    if (heldBegin_ == held_.size()) {
        if (const std::size_t found = find(lent_, delimiter); found != npos) return found;
        dropHeld();
    } else {
        if (searchedFor_ != delimiter) {
            searchedFor_ = delimiter;
            searched_ = 0;
        }
        std::size_t found = held_.find(delimiter, std::max(searched_, heldBegin_));
        if (found == npos && !lent_.empty()) {
            // The delimiter may begin in what is held and end in what is lent.
            const std::size_t before = held_.size();
            const std::size_t overlap = std::min(delimiter.size() - 1, lent_.size());
            const std::size_t unread = before - heldBegin_;
            held_.append(lent_.substr(0, overlap));
            found = held_.find(delimiter, before - std::min(delimiter.size() - 1, unread));
            std::size_t used = 0;
            if (found != npos) {
                used = found + delimiter.size() - before;
            } else if (const std::size_t inside = find(lent_, delimiter); inside != npos) {
                found = before + inside;
                used = inside + delimiter.size();
            }
            held_.resize(before);
            if (found != npos) {
                held_.append(lent_.substr(0, used));
                lent_.remove_prefix(used);
            }
        }
        if (found != npos) {
            searched_ = found;
            return found - heldBegin_;
        }
    }
    // No line yet: now everything is held, and only a delimiter that begins at its very end could still come.
    hold(std::exchange(lent_, {}));
    if (searchedFor_ != delimiter) searchedFor_ = delimiter;
    searched_ = held_.size() - std::min(delimiter.size() - 1, held_.size() - heldBegin_);
    return npos;
}

BytesView LineBuffer::takeAll() {
    mergeBehind();
    if (heldBegin_ == held_.size()) {
        all_ = std::exchange(lent_, {});
        allFrom_ = Source::lent;
    } else {
        if (!lent_.empty()) hold(std::exchange(lent_, {}));
        all_ = unreadHeld();
        heldBegin_ = held_.size();
        allFrom_ = Source::held;
    }
    return all_;
}

void LineBuffer::giveBack(BytesView tail) {
    const Source source = std::exchange(allFrom_, Source::none);
    const bool isItsEnd = tail.size() <= all_.size() && tail.data() == all_.data() + (all_.size() - tail.size());
    if (source == Source::none || !isItsEnd || !behind_.empty()) {
        append(tail);
    } else if (source == Source::lent) {
        lent_ = tail;
    } else {
        heldBegin_ -= tail.size();
        searched_ = heldBegin_;
    }
}

Bytes LineBuffer::removeAll() {
    Bytes all;
    all.reserve(size());
    all.append(unreadHeld()).append(lent_).append(behind_);
    discardAll();
    return all;
}

void LineBuffer::discardAll() noexcept {
    heldBegin_ = held_.size();  // its memory stays: a line may lie there
    lent_ = {};
    behind_.clear();
    allFrom_ = Source::none;
}

void writeLine(Transport& transport, BytesView line, BytesView delimiter) {
    std::array<char, 512> small;
    const std::size_t size = line.size() + delimiter.size();
    if (size <= small.size()) {
        line.copy(small.data(), line.size());
        // Mostly it is "\r\n", and for so little a call of memcpy takes longer than the copying.
        char* const end = small.data() + line.size();
        for (std::size_t i = 0; i < delimiter.size(); ++i) end[i] = delimiter[i];
        transport.write(BytesView(small.data(), size));
        return;
    }
    Bytes owned;
    owned.reserve(size);
    owned.append(line).append(delimiter);
    transport.write(std::move(owned));
}

}  // namespace torsion::detail
