#include <torsion/transports/file_descriptor_port.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

#include <torsion/core/error.hpp>
#include <torsion/transports/tcp_connection.hpp>

namespace torsion {

namespace {

const char* nameOf(int domain) {
    switch (domain) {
        case AF_INET: return "an IPv4";
        case AF_INET6: return "an IPv6";
        case AF_UNIX: return "a UNIX";
        default: return "another";
    }
}

int domainOf(Address::Kind family) {
    switch (family) {
        case Address::Kind::ipv4: return AF_INET;
        case Address::Kind::ipv6: return AF_INET6;
        case Address::Kind::unixPath: return AF_UNIX;
        default: throw UnsupportedAddressFamily("a stream socket is of IPv4, IPv6 or UNIX");
    }
}

/// An option of the socket. @throws ValueError if the descriptor is none
int option(int fileDescriptor, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    if (::getsockopt(fileDescriptor, SOL_SOCKET, name, &value, &length) != 0) {
        throw ValueError("descriptor " + std::to_string(fileDescriptor) +
                         " is no socket: " + std::system_category().message(errno));
    }
    return value;
}

/// A duplicate of a stream socket, non-blocking and not for children.
Socket duplicate(int fileDescriptor, Address::Kind family) {
    const int domain = domainOf(family);
    const std::string which = "descriptor " + std::to_string(fileDescriptor);
    if (option(fileDescriptor, SO_TYPE) != SOCK_STREAM) throw ValueError(which + " is no stream socket");
    if (const int real = option(fileDescriptor, SO_DOMAIN); real != domain) {
        throw ValueError(which + " is " + nameOf(real) + " socket, not " + nameOf(domain) + " one");
    }
    Socket socket(::fcntl(fileDescriptor, F_DUPFD_CLOEXEC, 0));
    if (!socket) throw std::system_error(errno, std::system_category(), which + " cannot be duplicated");
    const int flags = ::fcntl(socket.descriptor(), F_GETFL);
    ::fcntl(socket.descriptor(), F_SETFL, flags | O_NONBLOCK);
    return socket;
}

}  // namespace

FileDescriptorPort::FileDescriptorPort(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily,
                                       std::shared_ptr<Factory> factory)
    : Port(reactor, std::move(factory), ReactorTCP::kDefaultBacklog, "adoptStreamPort"),
      fileDescriptor_(fileDescriptor),
      duplicate_(duplicate(fileDescriptor, addressFamily)) {
    if (option(fileDescriptor, SO_ACCEPTCONN) == 0) {
        throw ValueError("descriptor " + std::to_string(fileDescriptor) + " does not listen");
    }
}

Socket FileDescriptorPort::open() {
    if (!duplicate_) throw CannotListenError(place(), "what was handed over can be listened on once");
    return std::move(duplicate_);
}

void serveFileDescriptor(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily, Factory& factory) {
    Socket socket = duplicate(fileDescriptor, addressFamily);
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getpeername(socket.descriptor(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
        throw ValueError("descriptor " + std::to_string(fileDescriptor) +
                         " is not connected: " + std::system_category().message(errno));
    }
    const Address peer = Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
    std::shared_ptr<Protocol> protocol = factory.build(peer);
    if (!protocol) return;
    const auto connection =
        std::make_shared<tcp::Connection>(reactor, std::move(socket), tcp::Connection::Side::server, peer);
    connection->setDescriptorShared();
    connection->open(std::move(protocol), nullptr);
}

}  // namespace torsion
