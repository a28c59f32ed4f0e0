#pragma once

/// Lines by hand: CRLF looked for with memchr, the rest of a line kept for the next read.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

/// Finds the lines in what one connection sends.
class LineSplitter {
public:
    /// Calls line(std::string_view) for every line that is whole, without its CRLF.
    /// @returns false if a line is longer than the limit
    template <typename Line>
    bool receive(std::string_view data, std::size_t longest, Line&& line) {
        if (!begun_.empty()) {
            // Up to the LF that ends what was begun; an LF without its CR belongs to the line.
            for (;;) {
                std::size_t const feed = data.find('\n');
                if (feed == std::string_view::npos) {
                    begun_.append(data);
                    return begun_.size() <= longest + 1;
                }
                begun_.append(data.substr(0, feed + 1));
                data.remove_prefix(feed + 1);
                if (begun_[begun_.size() - 2] == '\r') break;
            }
            std::string_view const whole(begun_.data(), begun_.size() - 2);
            if (whole.size() > longest) return false;
            line(whole);
            begun_.clear();
        }
        char const* start = data.data();
        char const* const end = start + data.size();
        char const* from = start;
        while (from < end) {
            auto const* feed = static_cast<char const*>(std::memchr(from, '\n', static_cast<std::size_t>(end - from)));
            if (feed == nullptr) break;
            from = feed + 1;
            if (feed == start || feed[-1] != '\r') continue;
            auto const size = static_cast<std::size_t>(feed - 1 - start);
            if (size > longest) return false;
            line(std::string_view(start, size));
            start = from;
        }
        begun_.assign(start, static_cast<std::size_t>(end - start));
        return begun_.size() <= longest + 1;
    }

private:
    std::string begun_;  ///< a line whose end has not come
};
