#include <torsion/testing/memory_resolver.hpp>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>

namespace torsion::testing {

Deferred<std::vector<Address>> MemoryResolver::resolveHostName(const std::string& host, std::uint16_t port) {
    lookups.push_back(host);
    if (isIPAddress(host) || isIPv6Address(host)) return defer::succeed(std::vector<Address>{ipAddress(host, port)});
    if (open) return pending.emplace_back();
    const auto known = names.find(host);
    if (known == names.end() || known->second.empty())
        return defer::fail<std::vector<Address>>(DNSLookupError(host + " is not in the table of the MemoryResolver"));
    std::vector<Address> found;
    for (const std::string& literal : known->second) found.push_back(ipAddress(literal, port));
    return defer::succeed(std::move(found));
}

}  // namespace torsion::testing
