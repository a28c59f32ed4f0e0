#include <torsion/testing/printable.hpp>

#include <fmt/format.h>

namespace torsion::testing {

std::string printable(BytesView octets) {
    std::string text;
    for (const char c : octets) {
        if (c == '\r') {
            text += "\\r";
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '"' || c == '\\') {
            text += '\\';
            text += c;
        } else if (c >= ' ' && c <= '~') {
            text += c;
        } else {
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text;
}

}  // namespace torsion::testing
