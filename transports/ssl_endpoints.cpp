#include <torsion/transports/ssl_endpoints.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/transports/client_endpoint_factory.hpp>
#include <torsion/transports/endpoint_arguments.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>

namespace torsion::endpoints {

SSL4ServerEndpoint::SSL4ServerEndpoint(Reactor& reactor, int port, const ssl::ContextFactory& contextFactory,
                                       int backlog, std::string interface, ConnectionMade connectionMade)
    : reactor_(reactor),
      port_(port),
      contextFactory_(contextFactory.share()),
      backlog_(backlog),
      interface_(std::move(interface)),
      connectionMade_(connectionMade) {}

Deferred<std::shared_ptr<ListeningPort>> SSL4ServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(port_, backlog_, factory, [&] {
        if (connectionMade_ == ConnectionMade::beforeHandshake) {
            return reactor_.listenSSL(port_, factory, *contextFactory_, backlog_, interface_);
        }
        return reactor_.listenTCP(
            port_, std::make_shared<TLSMemoryBIOFactory>(*contextFactory_, ssl::Role::server, factory, connectionMade_),
            backlog_, interface_);
    });
}

SSL4ClientEndpoint::SSL4ClientEndpoint(Reactor& reactor, std::string host, int port,
                                       const ssl::ContextFactory& contextFactory, Duration timeout, Address bindAddress,
                                       ConnectionMade connectionMade)
    : reactor_(reactor),
      host_(std::move(host)),
      port_(port),
      contextFactory_(contextFactory.share()),
      timeout_(timeout),
      bindAddress_(std::move(bindAddress)),
      connectionMade_(connectionMade) {}

Deferred<std::shared_ptr<Protocol>> SSL4ClientEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    if (connectionMade_ == ConnectionMade::afterHandshake) {
        const auto tcp = std::make_shared<TCP4ClientEndpoint>(reactor_, host_, port_, timeout_, bindAddress_);
        return wrapClientTLS(*contextFactory_, tcp, connectionMade_)->connectFactory(std::move(factory));
    }
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
