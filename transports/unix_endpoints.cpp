#include <torsion/transports/unix_endpoints.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/transports/client_endpoint_factory.hpp>
#include <torsion/transports/endpoint_arguments.hpp>

namespace torsion::endpoints {

UNIXServerEndpoint::UNIXServerEndpoint(Reactor& reactor, std::string path, int backlog, unsigned mode, bool wantPID)
    : reactor_(reactor), path_(std::move(path)), backlog_(backlog), mode_(mode), wantPID_(wantPID) {}

Deferred<std::shared_ptr<ListeningPort>> UNIXServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    constexpr int kNoPort = 0;
    return detail::listening(kNoPort, backlog_, factory,
                             [&] { return reactor_.listenUNIX(path_, factory, backlog_, mode_, wantPID_); });
}

UNIXClientEndpoint::UNIXClientEndpoint(Reactor& reactor, std::string path, Duration timeout, bool checkPID)
    : reactor_(reactor), path_(std::move(path)), timeout_(timeout), checkPID_(checkPID) {}

Deferred<std::shared_ptr<Protocol>> UNIXClientEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    try {
        detail::checkTimeout(timeout_);
        return detail::ClientEndpointFactory::connect(
            std::move(factory), UNIXAddress(path_), [&](std::shared_ptr<ClientFactory> attempt) {
                return reactor_.connectUNIX(path_, std::move(attempt), timeout_, checkPID_);
            });
    } catch (...) {
        return defer::fail<std::shared_ptr<Protocol>>();
    }
}

}  // namespace torsion::endpoints
