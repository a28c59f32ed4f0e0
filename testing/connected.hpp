#pragma once

#include <memory>
#include <utility>

#include <torsion/testing/io_pump.hpp>

namespace torsion::testing {

/// Whether connectedServerAndClient lets the two say what they say at the beginning.
enum class Greet { no, yes };

/// What connectedServerAndClient gives: two protocols, and what moves octets between them.
template <class Server, class Client>
struct ConnectedPair {
    ConnectedPair(std::shared_ptr<Server> theServer, std::shared_ptr<Client> theClient, Greet greet,
                  std::shared_ptr<task::Clock> clock)
        : client(std::move(theClient)), server(std::move(theServer)), pump(client, server, std::move(clock)) {
        if (greet == Greet::yes) pump.flush();
    }

    std::shared_ptr<Client> client;
    std::shared_ptr<Server> server;
    IOPump pump;
};

/// Connects two protocols in memory (twisted.test.iosim.connectedServerAndClient).
/// @param clock to share with others; by default a new one
///
/// @code
///     auto [client, server, pump] = connectedServerAndClient<Server, Client>();
/// @endcode
template <class Server, class Client>
ConnectedPair<Server, Client> connectedServerAndClient(
    std::shared_ptr<Server> server = std::make_shared<Server>(),
    std::shared_ptr<Client> client = std::make_shared<Client>(), Greet greet = Greet::yes,
    std::shared_ptr<task::Clock> clock = std::make_shared<task::Clock>()) {
    return ConnectedPair<Server, Client>(std::move(server), std::move(client), greet, std::move(clock));
}

}  // namespace torsion::testing
