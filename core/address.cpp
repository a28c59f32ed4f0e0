#include <torsion/core/address.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>

#include <torsion/core/error.hpp>

namespace torsion {

namespace {

/// inet_pton, which would stop at a zero octet.
bool parse(int family, const std::string& text, void* octets) noexcept {
    return text.find('\0') == std::string::npos && inet_pton(family, text.c_str(), octets) == 1;
}

/// An interface's name or number; 0 if it is neither.
std::uint32_t parseScope(const std::string& text) noexcept {
    if (const unsigned index = if_nametoindex(text.c_str()); index != 0) return index;
    std::uint32_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end ? number : 0;
}

}  // namespace

Address Address::fromSockaddr(const sockaddr* address, unsigned length) {
    Address result;
    if (address->sa_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        result.kind_ = Kind::ipv4;
        result.port_ = ntohs(in.sin_port);
        std::memcpy(result.octets_, &in.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        sockaddr_in6 in;
        std::memcpy(&in, address, sizeof in);
        result.kind_ = Kind::ipv6;
        result.port_ = ntohs(in.sin6_port);
        result.flow_ = in.sin6_flowinfo;
        result.scope_ = in.sin6_scope_id;
        std::memcpy(result.octets_, &in.sin6_addr, 16);
    } else if (address->sa_family == AF_UNIX) {
        const auto* in = reinterpret_cast<const sockaddr_un*>(address);
        result.kind_ = Kind::unixPath;
        if (length > offsetof(sockaddr_un, sun_path)) {
            const std::size_t room = length - offsetof(sockaddr_un, sun_path);
            // A path ends at its NUL; an abstract name starts with one and fills its length.
            const std::size_t size = in->sun_path[0] != '\0' ? strnlen(in->sun_path, room) : room;
            result.name_ = std::make_shared<const std::string>(in->sun_path, size);
        }
    }
    return result;
}

const std::string& Address::name() const noexcept {
    static const std::string none;
    return name_ ? *name_ : none;
}

bool Address::operator==(const Address& other) const noexcept {
    return kind_ == other.kind_ && port_ == other.port_ && flow_ == other.flow_ && scope_ == other.scope_ &&
           std::equal(std::begin(octets_), std::end(octets_), std::begin(other.octets_)) && name() == other.name();
}

std::string Address::host() const {
    char text[INET6_ADDRSTRLEN];
    switch (kind_) {
        case Kind::ipv4: return inet_ntop(AF_INET, octets_, text, sizeof text);
        case Kind::ipv6: return inet_ntop(AF_INET6, octets_, text, sizeof text);
        default: return name();
    }
}

unsigned Address::toSockaddr(void* storage) const {
    if (kind_ == Kind::ipv4) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port_);
        std::memcpy(&in.sin_addr, octets_, 4);
        std::memcpy(storage, &in, sizeof in);
        return sizeof in;
    }
    if (kind_ == Kind::ipv6) {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port_);
        in.sin6_flowinfo = flow_;
        in.sin6_scope_id = scope_;
        std::memcpy(&in.sin6_addr, octets_, 16);
        std::memcpy(storage, &in, sizeof in);
        return sizeof in;
    }
    if (kind_ == Kind::unixPath) {
        sockaddr_un un{};
        const std::string& path = name();
        if (path.size() >= sizeof un.sun_path) throw InvalidAddressError("UNIX socket path is too long: " + path);
        un.sun_family = AF_UNIX;
        std::memcpy(un.sun_path, path.data(), path.size());
        std::memcpy(storage, &un, sizeof un);
        const bool abstract = path.empty() || path[0] == '\0';
        return static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
    }
    return 0;
}

std::string Address::str() const {
    const std::string quoted = "'" + host() + "'";
    switch (kind_) {
        case Kind::ipv4: return "IPv4Address(TCP, " + quoted + ", " + std::to_string(port_) + ")";
        case Kind::ipv6: return "IPv6Address(TCP, " + quoted + ", " + std::to_string(port_) + ")";
        case Kind::hostname: return "HostnameAddress(" + quoted + ", " + std::to_string(port_) + ")";
        case Kind::unixPath: return "UNIXAddress(" + quoted + ")";
        case Kind::none: break;
    }
    return "no address";
}

std::size_t Address::hash() const noexcept {
    const std::string_view octets(reinterpret_cast<const char*>(octets_), sizeof octets_);
    return std::hash<std::string_view>()(octets) ^ (std::hash<std::string>()(name()) << 1) ^
           (static_cast<std::size_t>(port_) << 16) ^ scope_;
}

IPv4Address::IPv4Address(const std::string& host, std::uint16_t port) {
    kind_ = Kind::ipv4;
    port_ = port;
    if (!parse(AF_INET, host, octets_)) throw InvalidAddressError("not an IPv4 address: '" + host + "'");
}

IPv6Address::IPv6Address(const std::string& host, std::uint16_t port) {
    kind_ = Kind::ipv6;
    port_ = port;
    const std::size_t percent = host.find('%');
    if (!parse(AF_INET6, host.substr(0, percent), octets_)) {
        throw InvalidAddressError("not an IPv6 address: '" + host + "'");
    }
    if (percent != std::string::npos) {
        scope_ = parseScope(host.substr(percent + 1));
        if (scope_ == 0) throw InvalidAddressError("no such interface: '" + host.substr(percent + 1) + "'");
    }
}

HostnameAddress::HostnameAddress(const std::string& hostname, std::uint16_t port) {
    kind_ = Kind::hostname;
    port_ = port;
    name_ = std::make_shared<const std::string>(hostname);
}

UNIXAddress::UNIXAddress(const std::string& path) {
    kind_ = Kind::unixPath;
    name_ = std::make_shared<const std::string>(path);
}

bool isIPAddress(const std::string& text) noexcept {
    in_addr unused;
    return parse(AF_INET, text, &unused);
}

bool isIPv6Address(const std::string& text) noexcept {
    in6_addr unused;
    return parse(AF_INET6, text.substr(0, text.find('%')), &unused);
}

Address ipAddress(const std::string& literal, std::uint16_t port) {
    if (isIPv6Address(literal)) return IPv6Address(literal, port);
    return IPv4Address(literal, port);
}

}  // namespace torsion
