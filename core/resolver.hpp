#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torsion/core/address.hpp>
#include <torsion/core/deferred.hpp>

namespace torsion {

/// Finds the addresses of host names (IHostnameResolver), never blocking the reactor.
class HostnameResolver {
public:
    virtual ~HostnameResolver() = default;

    /// The addresses of @p host, of all families, in order of preference, each with @p port; literals give themselves
    /// at once. Fails with DNSLookupError if there are none. May be cancelled (defer::CancelledError).
    virtual Deferred<std::vector<Address>> resolveHostName(const std::string& host, std::uint16_t port) = 0;
};

}  // namespace torsion
