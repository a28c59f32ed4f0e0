#pragma once

#include <map>
#include <string>
#include <vector>

#include <torsion/core/resolver.hpp>

namespace torsion::testing {

/// A resolver that answers from a table (twisted.internet.testing has one like it in MemoryReactor): at once, or when
/// the test fires what it kept open.
class MemoryResolver final : public HostnameResolver {
public:
    /// Literals by name. A name that is not here fails with DNSLookupError.
    std::map<std::string, std::vector<std::string>> names;

    /// Whether questions are kept in `pending` instead, for the test to fire. Literals are answered all the same.
    bool open = false;
    std::vector<Deferred<std::vector<Address>>> pending;

    /// All names that were asked for.
    std::vector<std::string> lookups;

    Deferred<std::vector<Address>> resolveHostName(const std::string& host, std::uint16_t port) override;
};

}  // namespace torsion::testing
