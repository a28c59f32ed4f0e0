#pragma once

#include <string>
#include <string_view>

/// What errors say.
namespace torsion::test {

/// The text of the E that @p call throws.
template <class E, class F>
std::string messageOf(F&& call) {
    try {
        call();
    } catch (const E& error) {
        return error.what();
    }
    return "nothing was thrown";
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace torsion::test
