#include <torsion/transports/file_descriptor_endpoints.hpp>

#include <unistd.h>

#include <torsion/core/defer.hpp>
#include <torsion/transports/endpoint_arguments.hpp>

namespace torsion::endpoints {

namespace {

constexpr int kNoPort = 0;

}  // namespace

AdoptedStreamServerEndpoint::AdoptedStreamServerEndpoint(Reactor& reactor, int fileDescriptor,
                                                         Address::Kind addressFamily)
    : reactor_(reactor), fileDescriptor_(fileDescriptor), addressFamily_(addressFamily) {}

Deferred<std::shared_ptr<ListeningPort>> AdoptedStreamServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(kNoPort, ReactorTCP::kDefaultBacklog, factory, [&] {
        if (used_) throw AlreadyListened("descriptor " + std::to_string(fileDescriptor_));
        std::shared_ptr<ListeningPort> port = reactor_.adoptStreamPort(fileDescriptor_, addressFamily_, factory);
        used_ = true;
        ::close(fileDescriptor_);
        return port;
    });
}

InheritedStreamServerEndpoint::InheritedStreamServerEndpoint(Reactor& reactor, int fileDescriptor,
                                                             Address::Kind addressFamily)
    : reactor_(reactor), fileDescriptor_(fileDescriptor), addressFamily_(addressFamily) {}

Deferred<std::shared_ptr<ListeningPort>> InheritedStreamServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(kNoPort, ReactorTCP::kDefaultBacklog, factory,
                             [&] { return reactor_.adoptStreamPort(fileDescriptor_, addressFamily_, factory); });
}

}  // namespace torsion::endpoints
