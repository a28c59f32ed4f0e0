#pragma once

#include <string>

#include <torsion/transports/socket.hpp>

namespace torsion::tcp {

/// How a listening socket stands to others of the same address.
enum class PortUse {
    exclusive,  ///< it is the only one
    founds,     ///< it is the first, and lets others join (SO_REUSEPORT)
    joins       ///< it shares the address with the one that founded
};

/// A socket that listens: from now on the kernel lets clients connect, up to @p backlog of them wait.
///
/// One that founds is bound before it allows sharing, so that an address at which somebody listens already is refused,
/// also if he would share it.
/// @param interface a literal; empty is every IPv4 interface
/// @throws CannotListenError with errno; ENOPROTOOPT if sharing is wanted and the kernel knows no SO_REUSEPORT
/// @throws ValueError unless @p port is 0 to 65535
Socket listeningSocket(const std::string& interface, int port, int backlog, PortUse use = PortUse::exclusive);

}  // namespace torsion::tcp
