#include <torsion/transports/listening_socket.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include <torsion/core/error.hpp>

namespace torsion::tcp {

Socket listeningSocket(const std::string& interface, int port, int backlog, PortUse use) {
    if (port < 0 || port > 65535) throw ValueError("A port is a number from 0 to 65535, not " + std::to_string(port));
    const Address address = ipAddress(interface.empty() ? "0.0.0.0" : interface, static_cast<std::uint16_t>(port));
    const auto check = [&](int error) {
        if (error != 0) throw CannotListenError(interface, port, error);
    };
    const auto share = [&](const Socket& socket) {
        const int on = 1;
        check(setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 ? 0 : errno);
    };
    Socket socket = Socket::stream(address);
    check(socket ? 0 : errno);
    socket.setFlag(SOL_SOCKET, SO_REUSEADDR, true);
    if (use == PortUse::joins) share(socket);
    check(socket.bind(address));
    if (use == PortUse::founds) share(socket);
    check(::listen(socket.descriptor(), backlog) == 0 ? 0 : errno);
    return socket;
}

}  // namespace torsion::tcp
