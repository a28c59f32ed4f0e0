#pragma once

#include <memory>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

namespace torsion::endpoints {

/// Listens on a socket that was made to listen outside of torsion
/// (twisted.internet.endpoints.AdoptedStreamServerEndpoint). It takes the descriptor over: listen() closes it, and the
/// port has a duplicate. A second listen() fails with AlreadyListened. The other errors are those of
/// ReactorSocket::adoptStreamPort, through the Deferred; the descriptor stays open then.
class AdoptedStreamServerEndpoint final : public StreamServerEndpoint {
public:
    AdoptedStreamServerEndpoint(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily);

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    int fileDescriptor_;
    Address::Kind addressFamily_;
    bool used_ = false;
};

/// Listens on a socket that the process has got from whoever started it (see ListenFDs). The descriptor stays open, for
/// it is the process's: so this may be listened on any number of times.
class InheritedStreamServerEndpoint final : public StreamServerEndpoint {
public:
    InheritedStreamServerEndpoint(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily);

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override;

private:
    Reactor& reactor_;
    int fileDescriptor_;
    Address::Kind addressFamily_;
};

}  // namespace torsion::endpoints
