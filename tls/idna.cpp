#include <torsion/tls/idna.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>

#include <idn2.h>

#include <torsion/core/error.hpp>

namespace torsion::ssl {

namespace {

/// What is longer is no host name in any form, and is not worth mapping: 253 octets of ASCII are at most so many of
/// UTF-8, for each label of 63 has fewer letters than octets and a letter has at most four.
constexpr std::size_t kLongestText = 4 * 253;

bool isASCII(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

[[noreturn]] void refuse(const std::string& why) { throw ValueError("it is no internationalized name: " + why); }

}  // namespace

std::string toALabels(std::string_view name) {
    if (isASCII(name)) return std::string(name);
    if (name.size() > kLongestText) refuse("more than " + std::to_string(kLongestText) + " octets");
    const std::string terminated(name);
    if (terminated.find('\0') != std::string::npos) refuse("it contains a NUL octet");
    std::uint8_t* text = nullptr;
    const int result = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(terminated.c_str()), &text,
                                      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<std::uint8_t, void (*)(std::uint8_t*)> owner(text, [](std::uint8_t* p) { idn2_free(p); });
    if (result != IDN2_OK) refuse(idn2_strerror(result));
    return reinterpret_cast<const char*>(text);
}

}  // namespace torsion::ssl
