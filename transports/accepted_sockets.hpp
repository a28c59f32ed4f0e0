#pragma once

#include <memory>

#include <torsion/core/connector.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion::tcp {

/// Serves a connection that was accepted: asks @p factory for its protocol, and opens it. If that builds none, or
/// throws, which is logged, the connection is closed.
/// @param host our own address, so that nobody has to ask the system; null if it is not known
void serveAccepted(Reactor& reactor, Factory& factory, Socket socket, const Address& peer,
                   const std::shared_ptr<const Address>& host);

/// @p host as what connections that were accepted there may share; null if it is every interface's, for then each has
/// its own.
std::shared_ptr<const Address> exactHost(const Address& host);

/// A port whose connections another reactor's port accepts and hands over. To its factory it is a port like any other.
/// Keeps itself alive while it takes them. All of it belongs to the reactor's thread.
class AcceptedSockets final : public ListeningPort,
                              public DescriptorListener,
                              public std::enable_shared_from_this<AcceptedSockets> {
public:
    /// @param host the address that the other port is bound to
    AcceptedSockets(Reactor& reactor, std::shared_ptr<Factory> factory, const Address& host);

    void startListening() override;
    Deferred<void> stopListening() override;
    Address getHost() const override { return host_; }

    /// Serves @p socket; closes it if this port has stopped.
    void take(Socket socket, const Address& peer);

private:
    void readable() override {}
    void writable() override {}
    void reactorGone(const Failure& reason) override;
    void close();

    Reactor& reactor_;
    std::shared_ptr<Factory> factory_;
    std::shared_ptr<AcceptedSockets> self_;
    std::unique_ptr<DescriptorWatch> watch_;  ///< of no descriptor: to hear of the reactor's end
    Address host_;
    std::shared_ptr<const Address> exactHost_;  ///< null if connections have to ask
};

}  // namespace torsion::tcp
