#include <torsion/transports/endpoint_arguments.hpp>

#include <net/if.h>

#include <torsion/core/error.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints::detail {

void checkClientArguments(const std::string& host, int port, Duration timeout) {
    checkHostname(host);
    checkPort(port);
    checkTimeout(timeout);
}

void checkTimeout(Duration timeout) {
    if (timeout <= Duration::zero()) throw ValueError("the timeout of a connection attempt must be positive");
}

void checkServerArguments(int port, int backlog, const std::shared_ptr<Factory>& factory) {
    checkPort(port);
    if (backlog < 0) throw ValueError("backlog " + std::to_string(backlog) + " is negative");
    if (!factory) throw TypeError("an endpoint needs a factory to listen, not null");
}

Address destination(const std::string& host, int port) {
    const std::uint16_t number = checkPort(port);
    if (isIPAddress(host) || isIPv6Address(host)) return ipAddress(host, number);
    return HostnameAddress(host, number);
}

std::string literal(const Address& address) {
    std::string text = address.host();
    char name[IF_NAMESIZE];
    if (address.scopeID() != 0 && if_indextoname(address.scopeID(), name) != nullptr) {
        text += '%';
        text += name;
    }
    return text;
}

std::string hostAndPort(const std::string& host, int port) {
    const std::string text = isIPv6Address(host) ? '[' + host + ']' : host;
    return text + ':' + std::to_string(port);
}

}  // namespace torsion::endpoints::detail
