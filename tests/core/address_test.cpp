#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <unordered_set>

#include <torsion/core/address.hpp>
#include <torsion/core/error.hpp>

using namespace torsion;

namespace {

Address roundTrip(const Address& address) {
    sockaddr_storage storage{};
    const unsigned length = address.toSockaddr(&storage);
    return Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

}  // namespace

TEST_CASE("addresses are values: kind, host, port") {
    const IPv4Address four("127.0.0.1", 80);
    CHECK(four.kind() == Address::Kind::ipv4);
    CHECK(four.host() == "127.0.0.1");
    CHECK(four.port() == 80);
    const IPv6Address six("0:0::1", 443);
    CHECK(six.kind() == Address::Kind::ipv6);
    CHECK(six.host() == "::1");
    CHECK(six.scopeID() == 0);
    const HostnameAddress name("example.com", 25);
    CHECK(name.host() == "example.com");
    const UNIXAddress unixAddress("/run/socket");
    CHECK(unixAddress.host() == "/run/socket");
    CHECK(unixAddress.port() == 0);
    CHECK(Address().kind() == Address::Kind::none);
    const Address copy = four;  // the kinds add nothing, so nothing is cut off
    CHECK(copy == four);
}

TEST_CASE("equality and hash go by content") {
    CHECK(IPv4Address("10.0.0.1", 1) == IPv4Address("10.0.0.1", 1));
    CHECK(IPv4Address("10.0.0.1", 1) != IPv4Address("10.0.0.1", 2));
    CHECK(IPv4Address("10.0.0.1", 1) != IPv4Address("10.0.0.2", 1));
    CHECK(IPv6Address("::1", 1) == IPv6Address("0::1", 1));
    CHECK(static_cast<const Address&>(IPv4Address("0.0.0.0", 1)) != IPv6Address("::", 1));
    std::unordered_set<Address> set;
    for (int i = 0; i < 2; ++i) {
        set.insert(IPv4Address("10.0.0.1", 1));
        set.insert(IPv6Address("::1", 1));
        set.insert(HostnameAddress("a", 1));
        set.insert(UNIXAddress("a"));
        set.insert(Address());
    }
    CHECK(set.size() == 5);
}

TEST_CASE("the text has Twisted's parts") {
    CHECK(IPv4Address("127.0.0.1", 80).str() == "IPv4Address(TCP, '127.0.0.1', 80)");
    CHECK(IPv6Address("::1", 80).str() == "IPv6Address(TCP, '::1', 80)");
    CHECK(HostnameAddress("example.com", 80).str() == "HostnameAddress('example.com', 80)");
    CHECK(UNIXAddress("/s").str() == "UNIXAddress('/s')");
    CHECK(Address().str() == "no address");
}

TEST_CASE("what is no literal is refused with a clear error") {
    for (const char* bad : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1", "1.2.3.4 "}) {
        CHECK_THROWS_AS(IPv4Address(bad, 1), InvalidAddressError);
    }
    for (const char* bad : {"", "localhost", "1.2.3.4", ":::", "[::1]", "::1%no-such-interface", "::1%", "::1%1x"}) {
        CHECK_THROWS_AS(IPv6Address(bad, 1), InvalidAddressError);
    }
    CHECK_THROWS_AS(IPv4Address(std::string("1.2.3.4\0x", 9), 1), InvalidAddressError);
    CHECK_THROWS_AS(ipAddress("example.com", 1), InvalidAddressError);
}

TEST_CASE("literals are told from names") {
    CHECK(isIPAddress("127.0.0.1"));
    CHECK(!isIPAddress("::1"));
    CHECK(!isIPAddress("example.com"));
    CHECK(!isIPAddress(std::string("127.0.0.1\0.example.com", 22)));
    CHECK(isIPv6Address("::1"));
    CHECK(isIPv6Address("fe80::1%eth0"));
    CHECK(!isIPv6Address("127.0.0.1"));
    CHECK(ipAddress("127.0.0.1", 5) == IPv4Address("127.0.0.1", 5));
    CHECK(ipAddress("::1", 5) == IPv6Address("::1", 5));
}

TEST_CASE("addresses go to the kernel's form and back") {
    CHECK(roundTrip(IPv4Address("192.0.2.1", 65535)) == IPv4Address("192.0.2.1", 65535));
    CHECK(roundTrip(IPv6Address("2001:db8::1", 1)) == IPv6Address("2001:db8::1", 1));
    CHECK(roundTrip(UNIXAddress("/run/socket")) == UNIXAddress("/run/socket"));
    const UNIXAddress abstractName(std::string("\0name", 5));
    CHECK(roundTrip(abstractName) == abstractName);
    sockaddr_storage storage{};
    CHECK(HostnameAddress("example.com", 1).toSockaddr(&storage) == 0);
    CHECK(Address().toSockaddr(&storage) == 0);
    const UNIXAddress tooLong(std::string(sizeof(sockaddr_un::sun_path), 'x'));
    CHECK_THROWS_AS(tooLong.toSockaddr(&storage), InvalidAddressError);
    storage.ss_family = AF_UNSPEC;
    const auto* const unspecified = reinterpret_cast<const sockaddr*>(&storage);
    CHECK(Address::fromSockaddr(unspecified, sizeof storage).kind() == Address::Kind::none);
}

TEST_CASE("an IPv6 scope is an interface's name or number, and survives the kernel's form with the flow information") {
    CHECK(IPv6Address("fe80::1%7", 1).scopeID() == 7);
    CHECK(roundTrip(IPv6Address("fe80::1%7", 1)).scopeID() == 7);
    CHECK(IPv6Address("fe80::1%7", 1) != IPv6Address("fe80::1%8", 1));
    CHECK(IPv6Address("::1%lo", 1).scopeID() != 0);

    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_addr = in6addr_loopback;
    in.sin6_flowinfo = 0x1234;
    const Address address = Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&in), sizeof in);
    CHECK(address.flowInfo() == 0x1234);
    CHECK(roundTrip(address) == address);
}
