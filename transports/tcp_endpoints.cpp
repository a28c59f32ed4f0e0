#include <torsion/transports/tcp_endpoints.hpp>

#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/transports/client_endpoint_factory.hpp>
#include <torsion/transports/endpoint_arguments.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints {

using detail::ClientEndpointFactory;

TCP4ServerEndpoint::TCP4ServerEndpoint(Reactor& reactor, int port, int backlog, std::string interface)
    : reactor_(reactor), port_(port), backlog_(backlog), interface_(std::move(interface)) {}

Deferred<std::shared_ptr<ListeningPort>> TCP4ServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(port_, backlog_, factory,
                             [&] { return reactor_.listenTCP(port_, factory, backlog_, interface_); });
}

TCP6ServerEndpoint::TCP6ServerEndpoint(Reactor& reactor, int port, int backlog, std::string interface)
    : reactor_(reactor), port_(port), backlog_(backlog), interface_(std::move(interface)) {}

Deferred<std::shared_ptr<ListeningPort>> TCP6ServerEndpoint::listen(std::shared_ptr<Factory> factory) {
    return detail::listening(port_, backlog_, factory,
                             [&] { return reactor_.listenTCP(port_, factory, backlog_, interface_); });
}

TCP4ClientEndpoint::TCP4ClientEndpoint(Reactor& reactor, std::string host, int port, Duration timeout,
                                       Address bindAddress)
    : reactor_(reactor), host_(std::move(host)), port_(port), timeout_(timeout), bindAddress_(std::move(bindAddress)) {}

Deferred<std::shared_ptr<Protocol>> TCP4ClientEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    try {
        detail::checkClientArguments(host_, port_, timeout_);
        return ClientEndpointFactory::connect(
            std::move(factory), detail::destination(host_, port_), [&](std::shared_ptr<ClientFactory> attempt) {
                return reactor_.connectTCP(host_, port_, std::move(attempt), timeout_, bindAddress_);
            });
    } catch (...) {
        return defer::fail<std::shared_ptr<Protocol>>();
    }
}

TCP6ClientEndpoint::TCP6ClientEndpoint(Reactor& reactor, std::string host, int port, Duration timeout,
                                       Address bindAddress)
    : reactor_(reactor), host_(std::move(host)), port_(port), timeout_(timeout), bindAddress_(std::move(bindAddress)) {}

Deferred<std::shared_ptr<Protocol>> TCP6ClientEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    using Result = Deferred<std::shared_ptr<Protocol>>;
    try {
        detail::checkClientArguments(host_, port_, timeout_);
        // The endpoint may be gone when the name is found.
        const Address asked = detail::destination(host_, port_);
        return reactor_.nameResolver()
            .resolveHostName(host_, checkPort(port_))
            .addErrback([asked](const Failure& reason) -> Failure {
                if (reason.check<defer::CancelledError>()) return ConnectingCancelledError(asked.str());
                return reason;
            })
            .addCallback([&reactor = reactor_, factory = std::move(factory), host = host_, timeout = timeout_,
                          bindAddress = bindAddress_](const std::vector<Address>& found) mutable -> Result {
                for (const Address& address : found) {
                    if (address.kind() != Address::Kind::ipv6) continue;
                    return ClientEndpointFactory::connect(
                        std::move(factory), address, [&](std::shared_ptr<ClientFactory> attempt) {
                            return reactor.connectTCP(detail::literal(address), address.port(), std::move(attempt),
                                                      timeout, bindAddress);
                        });
                }
                throw DNSLookupError(quoted(host) + " has no IPv6 address");
            });
    } catch (...) {
        return defer::fail<std::shared_ptr<Protocol>>();
    }
}

}  // namespace torsion::endpoints
