#include <torsion/tls/alpn.hpp>

#include <string_view>

#include <torsion/core/error.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestList = 65535;

/// Takes the first name off a list. OpenSSL has checked the lengths of the peer's, and we made our own.
std::string_view takeName(std::string_view& list) {
    const std::size_t size = static_cast<unsigned char>(list.front());
    const std::string_view name = list.substr(1, size);
    list.remove_prefix(1 + name.size());
    return name;
}

bool contains(std::string_view list, std::string_view name) {
    while (!list.empty()) {
        if (takeName(list) == name) return true;
    }
    return false;
}

}  // namespace

std::string protocolsOnTheWire(const std::vector<std::string>& protocols) {
    std::string list;
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > kLongestName) {
            throw ValueError("The name of an application protocol has 1 to 255 octets, not " +
                             std::to_string(protocol.size()));
        }
        list += static_cast<char>(protocol.size());
        list += protocol;
    }
    if (list.size() > kLongestList) throw ValueError("The list of application protocols is longer than 65535 octets");
    return list;
}

int selectProtocol(SSL* connection, const unsigned char** selected, unsigned char* size, const unsigned char* offered,
                   unsigned offeredSize, void*) noexcept {
    const ConnectionState* state = ConnectionState::find(connection);
    if (state == nullptr || state->protocols.empty()) return SSL_TLSEXT_ERR_NOACK;
    const std::string_view theirs(reinterpret_cast<const char*>(offered), offeredSize);
    std::string_view ours = state->protocols;
    while (!ours.empty()) {
        const std::string_view name = takeName(ours);
        if (!contains(theirs, name)) continue;
        *selected = reinterpret_cast<const unsigned char*>(name.data());
        *size = static_cast<unsigned char>(name.size());
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace torsion::ssl
