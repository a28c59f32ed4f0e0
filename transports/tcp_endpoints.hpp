#pragma once

#include <memory>
#include <string>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

/// Endpoints on TCP. Each is a small value, usable any number of times (EP-5); it may be gone before what it began has
/// ended. The reactor must outlive its use. Errors in the arguments come through the Deferred (EP-4).
namespace torsion::endpoints {

/// Listens on TCP over IPv4 (twisted.internet.endpoints.TCP4ServerEndpoint).
class TCP4ServerEndpoint final : public StreamServerEndpoint {
public:
    /// @param port 0..65535, 0 picks one
    /// @param backlog how many connections may wait to be accepted
    /// @param interface the literal address to listen on; empty is all of IPv4
    explicit TCP4ServerEndpoint(Reactor& reactor, int port, int backlog = ReactorTCP::kDefaultBacklog,
                                std::string interface = "");

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    int port_;
    int backlog_;
    std::string interface_;
};

/// Listens on TCP over IPv6 (twisted.internet.endpoints.TCP6ServerEndpoint).
class TCP6ServerEndpoint final : public StreamServerEndpoint {
public:
    /// As above. @param interface "::" is all
    explicit TCP6ServerEndpoint(Reactor& reactor, int port, int backlog = ReactorTCP::kDefaultBacklog,
                                std::string interface = "::");

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    int port_;
    int backlog_;
    std::string interface_;
};

/// Connects over TCP (twisted.internet.endpoints.TCP4ClientEndpoint). A host given by name is connected to over IPv4 by
/// the first of its addresses; HostnameEndpoint tries them all.
class TCP4ClientEndpoint final : public StreamClientEndpoint {
public:
    /// @param host a name, or a literal of either family
    /// @param timeout positive; for looking up the name and connecting together
    /// @param bindAddress where to connect from; none leaves that to the system
    TCP4ClientEndpoint(Reactor& reactor, std::string host, int port,
                       Duration timeout = ReactorTCP::kDefaultConnectTimeout, Address bindAddress = Address());

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    std::string host_;
    int port_;
    Duration timeout_;
    Address bindAddress_;
};

/// Connects over TCP and IPv6 (twisted.internet.endpoints.TCP6ClientEndpoint). A name is looked up with the reactor's
/// resolver, and the first of its IPv6 addresses is used; without one the Deferred fails with DNSLookupError.
class TCP6ClientEndpoint final : public StreamClientEndpoint {
public:
    /// As above. @param timeout for connecting alone
    TCP6ClientEndpoint(Reactor& reactor, std::string host, int port,
                       Duration timeout = ReactorTCP::kDefaultConnectTimeout, Address bindAddress = Address());

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    std::string host_;
    int port_;
    Duration timeout_;
    Address bindAddress_;
};

}  // namespace torsion::endpoints
