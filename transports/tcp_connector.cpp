#include <torsion/transports/tcp_connector.hpp>

#include <algorithm>
#include <utility>

#include <torsion/core/defer_errors.hpp>

namespace torsion::tcp {

Connector::Connector(Reactor& reactor, const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                     Duration timeout, const Address& bindAddress)
    : BaseConnector(reactor, std::move(factory), timeout, "connectTCP"),
      host_(host),
      port_(port),
      bindAddress_(bindAddress) {
    if (port < 0 || port > 65535) throw ValueError("A port is a number from 0 to 65535, not " + std::to_string(port));
}

Address Connector::getDestination() const {
    const auto port = static_cast<std::uint16_t>(port_);
    if (isIPAddress(host_) || isIPv6Address(host_)) return ipAddress(host_, port);
    return HostnameAddress(host_, port);
}

void Connector::begin() {
    const auto port = static_cast<std::uint16_t>(port_);
    if (isIPAddress(host_) || isIPv6Address(host_)) {
        connectTo(ipAddress(host_, port), bindAddress_);
        return;
    }
    resolving_ = true;
    const auto current = [weak = weak_from_this(), number = attempt()]() -> std::shared_ptr<Connector> {
        const auto alive = std::static_pointer_cast<Connector>(weak.lock());
        return alive && alive->attempt() == number ? alive : nullptr;
    };
    resolution_ =
        reactor()
            .nameResolver()
            .resolveHostName(host_, port)
            .addCallbacks(
                [current](const std::vector<Address>& addresses) {
                    const std::shared_ptr<Connector> alive = current();
                    if (!alive) return;
                    alive->resolving_ = false;
                    if (addresses.empty()) {
                        alive->failedLater(DNSLookupError(alive->host_ + ": it has no address"));
                        return;
                    }
                    // Like Twisted, which asks for IPv4 only; HostnameEndpoint is the one that tries them
                    // all.
                    const auto ipv4 = std::find_if(addresses.begin(), addresses.end(), [](const Address& address) {
                        return address.kind() == Address::Kind::ipv4;
                    });
                    alive->connectTo(ipv4 != addresses.end() ? *ipv4 : addresses.front(), alive->bindAddress_);
                },
                [current](const Failure& failure) {
                    const std::shared_ptr<Connector> alive = current();
                    if (!alive) return;
                    alive->resolving_ = false;
                    alive->failedLater(failure);
                });
}

void Connector::stopBeginning() {
    if (std::exchange(resolving_, false)) resolution_.cancel();
}

std::string Connector::where() const {
    const std::string host = peer().host();
    return (peer().kind() == Address::Kind::ipv6 ? '[' + host + ']' : host) + ':' + std::to_string(peer().port());
}

}  // namespace torsion::tcp
