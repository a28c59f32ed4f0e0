#pragma once

#include <memory>
#include <string>

#include <torsion/core/address.hpp>
#include <torsion/core/deferred.hpp>

namespace torsion {

/// A client connection, or the attempt at one (IConnector). Held by std::shared_ptr: a factory that wants to connect
/// again later keeps connector.shared_from_this().
class Connector : public std::enable_shared_from_this<Connector> {
public:
    Connector() = default;
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    virtual ~Connector() = default;

    enum class State { disconnected, connecting, connected };

    /// Begins (again). @throws RuntimeError unless disconnected
    virtual void connect() = 0;

    /// Closes the connection, or gives up the attempt.
    virtual void disconnect() = 0;

    /// Gives up the attempt. @throws NotConnectingError if there is none
    virtual void stopConnecting() = 0;

    virtual Address getDestination() const = 0;
    virtual State state() const = 0;
};

/// A port that listens (IListeningPort).
class ListeningPort {
public:
    virtual ~ListeningPort() = default;

    /// Begins to listen. @throws CannotListenError
    virtual void startListening() = 0;

    /// Stops listening; connections stay. Fires in a later turn, when the socket is closed and factory.doStop has run;
    /// at once if it was not listening. Fails with what stopFactory throws; the port is closed all the same.
    virtual Deferred<void> stopListening() = 0;

    /// The address it is bound to; stays readable after the end.
    virtual Address getHost() const = 0;
};

}  // namespace torsion
