#pragma once

#include <memory>
#include <string>

#include <torsion/core/connector.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion::tcp {

/// A listening TCP port (twisted.internet.tcp.Port). Keeps itself alive while it listens. What is derived from it
/// listens on a stream socket of another kind.
class Port : public ListeningPort, public DescriptorListener, public std::enable_shared_from_this<Port> {
public:
    Port(Reactor& reactor, int port, std::shared_ptr<Factory> factory, int backlog, const std::string& interface);

    /// Takes @p listening, which listens already (see listeningSocket), instead of making one.
    Port(Reactor& reactor, Socket listening, std::shared_ptr<Factory> factory, int backlog);
    ~Port();

    /// Asked with each connection that is accepted, to serve it elsewhere. @return whether it took the socket
    using HandOver = Function<bool(Socket& socket, const Address& peer)>;
    void setHandOver(HandOver handOver) { handOver_ = std::move(handOver); }

    void startListening() override;
    Deferred<void> stopListening() override;
    Address getHost() const override { return host_; }

protected:
    /// For a derived class. @param caller the reactor's method, for texts. @throws ValueError without a factory
    Port(Reactor& reactor, std::shared_ptr<Factory> factory, int backlog, const char* caller);

    /// A socket that listens. @throws CannotListenError
    virtual Socket open();
    /// The socket is about to be closed.
    virtual void closing() noexcept {}
    /// What it listens on, for the log: "TCP Port" and 80.
    virtual std::string kind() const { return "TCP Port"; }
    virtual std::string place() const { return std::to_string(host_.port()); }

    int backlog() const noexcept { return backlog_; }

private:
    void readable() override;
    void writable() override {}
    void reactorGone(const Failure& reason) override;

    bool acceptOne();
    bool acceptFailed(int error);
    bool shedBacklog();
    void serve(Socket socket, const Address& peer);
    void close();

    Reactor& reactor_;
    int wantedPort_;
    int backlog_;
    std::string interface_;
    std::shared_ptr<Factory> factory_;
    std::shared_ptr<Port> self_;
    HandOver handOver_;
    Socket given_;  ///< what to listen with, until that begins
    Socket socket_;
    Socket reserve_;  ///< a descriptor to give up when there are no others left
    std::unique_ptr<DescriptorWatch> watch_;
    DelayedCall retry_;
    Address host_;
    int batch_;                                 ///< how many to accept in one turn
    std::shared_ptr<const Address> exactHost_;  ///< what connections have in common; null if they have to ask
};

}  // namespace torsion::tcp
