#pragma once

#include <memory>
#include <string>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/tls/connection_made.hpp>

namespace torsion::endpoints {

/// Listens for TLS on TCP (twisted.internet.endpoints.SSL4ServerEndpoint).
class SSL4ServerEndpoint final : public StreamServerEndpoint {
public:
    /// As TCP4ServerEndpoint. @param contextFactory the recipe, mostly CertificateOptions; kept by its share()
    /// @param connectionMade with afterHandshake, protocols never see a client that fails its handshake
    SSL4ServerEndpoint(Reactor& reactor, int port, const ssl::ContextFactory& contextFactory,
                       int backlog = ReactorTCP::kDefaultBacklog, std::string interface = "",
                       ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    int port_;
    std::shared_ptr<const ssl::ContextFactory> contextFactory_;
    int backlog_;
    std::string interface_;
    ConnectionMade connectionMade_;
};

/// Connects TLS over TCP (twisted.internet.endpoints.SSL4ClientEndpoint). The Deferred fires when connectionMade has
/// returned. By default that is before the handshake is done (TLS-1): derive the protocol from HandshakeListener to
/// hear of that, or ask for ConnectionMade::afterHandshake, which makes it all as wrapClientTLS describes.
class SSL4ClientEndpoint final : public StreamClientEndpoint {
public:
    /// As TCP4ClientEndpoint. @param contextFactory the recipe, from optionsForClientTLS; kept by its share()
    SSL4ClientEndpoint(Reactor& reactor, std::string host, int port, const ssl::ContextFactory& contextFactory,
                       Duration timeout = ReactorTCP::kDefaultConnectTimeout, Address bindAddress = Address(),
                       ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    std::string host_;
    int port_;
    std::shared_ptr<const ssl::ContextFactory> contextFactory_;
    Duration timeout_;
    Address bindAddress_;
    ConnectionMade connectionMade_;
};

}  // namespace torsion::endpoints
