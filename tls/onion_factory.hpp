#pragma once

#include <torsion/protocols/wrapping_factory.hpp>

namespace torsion {

/// Puts each protocol of another factory on an OnionProtocol. Works under listenTCP and connectTCP, and under listenSSL
/// and connectSSL, too, where the native TLS lies below all layers of the onion.
class OnionFactory : public WrappingFactory {
public:
    using WrappingFactory::WrappingFactory;

    std::shared_ptr<ProtocolWrapper> wrap(std::shared_ptr<Protocol> protocol) override;
};

}  // namespace torsion
