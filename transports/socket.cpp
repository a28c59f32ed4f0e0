#include <torsion/transports/socket.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace torsion {

Socket Socket::stream(const Address& address) noexcept {
    const int family = address.kind() == Address::Kind::ipv6       ? AF_INET6
                       : address.kind() == Address::Kind::unixPath ? AF_UNIX
                                                                   : AF_INET;
    return Socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void Socket::close() noexcept {
    // Linux has closed the descriptor even when close reports EINTR.
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void Socket::resetOnClose() noexcept {
    const linger now{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int Socket::bind(const Address& address) noexcept {
    sockaddr_storage storage{};
    const socklen_t length = address.toSockaddr(&storage);
    return ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length) == 0 ? 0 : errno;
}

int Socket::pendingError() const noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

Address Socket::localAddress() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

bool Socket::flag(int level, int option) const noexcept {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(descriptor_, level, option, &value, &length) == 0 && value != 0;
}

void Socket::setFlag(int level, int option, bool enabled) noexcept {
    const int value = enabled ? 1 : 0;
    setsockopt(descriptor_, level, option, &value, sizeof value);
}

}  // namespace torsion
