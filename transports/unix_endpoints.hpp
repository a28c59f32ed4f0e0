#pragma once

#include <memory>
#include <string>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

/// Endpoints on UNIX stream sockets. Values, as those of tcp_endpoints.hpp are.
namespace torsion::endpoints {

/// Listens on a UNIX socket (twisted.internet.endpoints.UNIXServerEndpoint).
class UNIXServerEndpoint final : public StreamServerEndpoint {
public:
    /// As ReactorUNIX::listenUNIX. @param path of the socket's file, or an abstract name, which begins with a NUL
    explicit UNIXServerEndpoint(Reactor& reactor, std::string path, int backlog = ReactorTCP::kDefaultBacklog,
                                unsigned mode = ReactorUNIX::kDefaultMode, bool wantPID = false);

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    std::string path_;
    int backlog_;
    unsigned mode_;
    bool wantPID_;
};

/// Connects to a UNIX socket (twisted.internet.endpoints.UNIXClientEndpoint).
class UNIXClientEndpoint final : public StreamClientEndpoint {
public:
    /// As ReactorUNIX::connectUNIX. @param timeout positive
    explicit UNIXClientEndpoint(Reactor& reactor, std::string path,
                                Duration timeout = ReactorTCP::kDefaultConnectTimeout, bool checkPID = false);

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    std::string path_;
    Duration timeout_;
    bool checkPID_;
};

}  // namespace torsion::endpoints
