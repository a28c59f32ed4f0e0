#include <torsion/tls/onion_factory.hpp>

#include <torsion/tls/onion_protocol.hpp>

namespace torsion {

std::shared_ptr<ProtocolWrapper> OnionFactory::wrap(std::shared_ptr<Protocol> protocol) {
    return std::make_shared<OnionProtocol>(self(), std::move(protocol));
}

}  // namespace torsion
