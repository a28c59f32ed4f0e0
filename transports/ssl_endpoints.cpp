#include <torsion/transports/ssl_endpoints.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/transports/client_endpoint_factory.hpp>
#include <torsion/transports/endpoint_arguments.hpp>

namespace torsion::endpoints {

SSL4ServerEndpoint::SSL4ServerEndpoint(Reactor& reactor, int port, const ssl::ContextFactory& contextFactory,
                                       int backlog, std::string interface)
    : reactor_(reactor),
      port_(port),
      contextFactory_(contextFactory.share()),
      backlog_(backlog),
      interface_(std::move(interface)) {}

Deferred<std::shared_ptr<ListeningPort>> SSL4ServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(port_, backlog_, factory, [&] {
        return reactor_.listenSSL(port_, factory, *contextFactory_, backlog_, interface_);
    });
}

SSL4ClientEndpoint::SSL4ClientEndpoint(Reactor& reactor, std::string host, int port,
                                       const ssl::ContextFactory& contextFactory, Duration timeout, Address bindAddress)
    : reactor_(reactor),
      host_(std::move(host)),
      port_(port),
      contextFactory_(contextFactory.share()),
      timeout_(timeout),
      bindAddress_(std::move(bindAddress)) {}

Deferred<std::shared_ptr<Protocol>> SSL4ClientEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    try {
        detail::checkClientArguments(host_, port_, timeout_);
        return detail::ClientEndpointFactory::connect(
            std::move(factory), detail::destination(host_, port_), [&](std::shared_ptr<ClientFactory> attempt) {
                return reactor_.connectSSL(host_, port_, std::move(attempt), *contextFactory_, timeout_, bindAddress_);
            });
    } catch (...) {
        return defer::fail<std::shared_ptr<Protocol>>();
    }
}

}  // namespace torsion::endpoints
