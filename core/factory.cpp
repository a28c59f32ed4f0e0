#include <torsion/core/factory.hpp>

#include <torsion/core/log.hpp>

namespace torsion {

std::shared_ptr<Protocol> Factory::build(const Address& address) {
    std::shared_ptr<Protocol> protocol = buildProtocol(address);
    if (protocol && !protocol->factory()) protocol->setFactory(shared_from_this());
    return protocol;
}

void Factory::doStart() {
    if (numPorts_ == 0) {
        if (noisy) log::msg("Starting factory " + logPrefix());
        startFactory();
    }
    ++numPorts_;  // not if startFactory throws
}

void Factory::doStop() {
    if (numPorts_ == 0) return;
    if (--numPorts_ != 0) return;
    if (noisy) log::msg("Stopping factory " + logPrefix());
    stopFactory();
}

std::string Factory::logPrefix() const { return typeName(typeid(*this)); }

}  // namespace torsion
