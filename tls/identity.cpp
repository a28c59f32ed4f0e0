#include <torsion/tls/identity.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/idna.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

constexpr std::size_t kLongestName = 253;  // RFC 1035, as text without the final dot
constexpr std::size_t kLongestLabel = 63;

bool isAddressText(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> octets{};
    return inet_pton(AF_INET, text.c_str(), octets.data()) == 1 ||
           inet_pton(AF_INET6, text.c_str(), octets.data()) == 1;
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool isNameCharacter(char c) { return (c >= 'a' && c <= 'z') || isDigit(c) || c == '-' || c == '_'; }

[[noreturn]] void refuse(std::string_view hostname, const std::string& why) {
    throw ValueError("Host name '" + printable(hostname) + "' cannot be verified: " + why);
}

/// Refuses what no name has, and makes A-labels of the others.
std::string asASCII(std::string_view hostname) {
    if (hostname.find('\0') != std::string_view::npos) refuse(hostname, "it contains a NUL octet");
    try {
        return toALabels(hostname);
    } catch (const ValueError& error) {
        refuse(hostname, error.what());
    }
}

void checkLabels(std::string_view hostname, std::string_view name) {
    std::string_view rest = name;
    for (;;) {
        const std::size_t dot = rest.find('.');
        const std::string_view label = rest.substr(0, dot);
        if (label.empty()) refuse(hostname, "it has an empty label");
        if (label.size() > kLongestLabel) refuse(hostname, "it has a label of more than 63 characters");
        if (!std::all_of(label.begin(), label.end(), isNameCharacter)) {
            const bool portOrBrackets = label.find_first_of(":[]") != std::string_view::npos;
            refuse(hostname, portOrBrackets ? "give the name or address alone, without port or brackets"
                                            : "names consist of letters, digits, hyphens and dots");
        }
        if (dot == std::string_view::npos) {
            // No DNS name ends so (RFC 3696), but some resolvers read addresses of fewer than four parts.
            if (std::all_of(label.begin(), label.end(), isDigit))
                refuse(hostname, "it looks like an address, and is none");
            return;
        }
        rest.remove_prefix(dot + 1);
    }
}

Identity parseName(std::string_view hostname, bool wildcardAllowed) {
    if (hostname.empty()) {
        throw ValueError("The host name is empty: without a name nobody's identity can be verified");
    }
    Identity identity;
    // The star is no letter for IDNA.
    const std::string_view star = wildcardAllowed && hostname.starts_with("*.") ? hostname.substr(0, 2) : "";
    identity.name = std::string(star) + asASCII(hostname.substr(star.size()));
    const bool mapped = identity.name != hostname;
    std::transform(identity.name.begin(), identity.name.end(), identity.name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });

    const std::string withoutZone = identity.name.substr(0, identity.name.find('%'));
    // Digits of other scripts can become ASCII's, and yet nobody writes an address so.
    if (!mapped && isAddressText(withoutZone) &&
        (withoutZone == identity.name || withoutZone.find(':') != std::string::npos)) {
        identity.name = withoutZone;
        identity.isAddress = true;
        return identity;
    }

    if (identity.name.ends_with('.')) identity.name.pop_back();
    if (identity.name.size() > kLongestName) refuse(hostname, "it has more than 253 characters");
    std::string_view labels = identity.name;
    labels.remove_prefix(star.size());
    checkLabels(hostname, labels);
    return identity;
}

}  // namespace

Identity Identity::parse(std::string_view hostname) { return parseName(hostname, false); }

Identity Identity::parsePattern(std::string_view name) { return parseName(name, true); }

void Identity::require(X509_VERIFY_PARAM_st* parameters) const {
    X509_VERIFY_PARAM_set_hostflags(parameters,
                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set = callOpenSSL([&] {
        return isAddress ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                         : X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size());
    });
    if (set != 1) throwFromQueue("The identity '" + name + "' cannot be demanded of a peer");
}

}  // namespace torsion::ssl
