#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct sockaddr;

namespace torsion {

/// One end of a connection (twisted.internet.address). A value: equality and hash go by content.
/// The named kinds IPv4Address, IPv6Address, UNIXAddress and HostnameAddress below make one each.
class Address {
public:
    enum class Kind : std::uint8_t { none, ipv4, ipv6, unixPath, hostname };

    /// No address at all.
    Address() noexcept = default;

    /// What the kernel tells. Families other than IPv4, IPv6 and UNIX give Kind::none.
    static Address fromSockaddr(const sockaddr* address, unsigned length);

    Kind kind() const noexcept { return kind_; }

    /// Octets written as text for IP, the name for a host name, the path for a UNIX socket. IPv6 without brackets.
    std::string host() const;

    /// In host byte order; 0 where there is none.
    std::uint16_t port() const noexcept { return port_; }

    /// The IPv6 scope (interface number) or 0.
    std::uint32_t scopeID() const noexcept { return scope_; }

    /// The IPv6 flow information or 0.
    std::uint32_t flowInfo() const noexcept { return flow_; }

    /// Fills @p storage, which must have room for a sockaddr_storage. @return the length; 0 for a host name or nothing
    unsigned toSockaddr(void* storage) const;

    /// Such as IPv4Address(TCP, '127.0.0.1', 80), in Twisted's form.
    std::string str() const;

    bool operator==(const Address& other) const noexcept;

    std::size_t hash() const noexcept;

protected:
    Kind kind_ = Kind::none;
    std::uint16_t port_ = 0;
    std::uint32_t flow_ = 0;
    std::uint32_t scope_ = 0;
    unsigned char octets_[16] = {};
    std::shared_ptr<const std::string> name_;  ///< few have one, and each connection keeps an address

    const std::string& name() const noexcept;
};

class IPv4Address : public Address {
public:
    /// @throws InvalidAddressError if @p host is not a dotted quad
    IPv4Address(const std::string& host, std::uint16_t port);
};

class IPv6Address : public Address {
public:
    /// @param host may carry a scope, "fe80::1%eth0". @throws InvalidAddressError if it is not an IPv6 literal
    IPv6Address(const std::string& host, std::uint16_t port);
};

class HostnameAddress : public Address {
public:
    HostnameAddress(const std::string& hostname, std::uint16_t port);
};

class UNIXAddress : public Address {
public:
    explicit UNIXAddress(const std::string& path);
};

/// Whether @p text is an IPv4 literal, an IPv6 literal.
bool isIPAddress(const std::string& text) noexcept;
bool isIPv6Address(const std::string& text) noexcept;

/// The literal as an address. @throws InvalidAddressError if it is none
Address ipAddress(const std::string& literal, std::uint16_t port);

}  // namespace torsion

template <>
struct std::hash<torsion::Address> {
    std::size_t operator()(const torsion::Address& address) const noexcept { return address.hash(); }
};
