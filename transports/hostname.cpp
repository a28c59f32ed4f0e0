#include <torsion/transports/hostname.hpp>

#include <string_view>

#include <torsion/core/address.hpp>
#include <torsion/core/error.hpp>
#include <torsion/tls/idna.hpp>

namespace torsion {

namespace {

constexpr std::size_t kMaximumName = 253;
constexpr std::size_t kMaximumLabel = 63;

bool isLetterOrDigit(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What is wrong with a label, or null.
const char* faultOf(std::string_view label) noexcept {
    if (label.empty()) return "has an empty label";
    if (label.size() > kMaximumLabel) return "has a label of more than 63 octets";
    if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with a hyphen";
    for (const char c : label) {
        if (!isLetterOrDigit(c) && c != '-' && c != '_') return "has a character that host names cannot have";
    }
    return nullptr;
}

std::string encoded(const std::string& name) {
    try {
        return ssl::toALabels(name);
    } catch (const ValueError& error) {
        throw ValueError("invalid hostname: " + quoted(name) + ": " + error.what());
    }
}

}  // namespace

std::string asciiHostname(const std::string& name) {
    if (isIPAddress(name) || isIPv6Address(name)) return name;
    const std::string ascii = encoded(name);
    std::string_view rest = ascii;
    if (!rest.empty() && rest.back() == '.') rest.remove_suffix(1);
    const char* fault = nullptr;
    if (rest.empty()) {
        fault = "is empty";
    } else if (rest.size() > kMaximumName) {
        fault = "is longer than 253 octets";
    } else if (ascii != name && isIPAddress(ascii)) {
        fault = "looks like an address, and is none";
    }
    while (fault == nullptr) {
        const std::size_t dot = rest.find('.');
        fault = faultOf(rest.substr(0, dot));
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
    if (fault != nullptr) throw ValueError("invalid hostname: " + quoted(name) + ' ' + fault);
    return ascii;
}

void checkHostname(const std::string& name) { asciiHostname(name); }

std::uint16_t checkPort(int port) {
    if (port < 0 || port > 65535) throw ValueError("port " + std::to_string(port) + " is not in 0..65535");
    return static_cast<std::uint16_t>(port);
}

std::string quoted(const std::string& text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string result = "'";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            result += "\\x";
            result += kDigits[octet >> 4];
            result += kDigits[octet & 15];
        } else {
            result += c;
        }
    }
    return result += '\'';
}

}  // namespace torsion
