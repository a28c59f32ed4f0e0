#include <torsion/protocols/wrapping_factory.hpp>

#include <vector>

namespace torsion {

std::shared_ptr<ProtocolWrapper> WrappingFactory::wrap(std::shared_ptr<Protocol> protocol) {
    return std::make_shared<ProtocolWrapper>(self(), std::move(protocol));
}

std::shared_ptr<Protocol> WrappingFactory::buildProtocol(const Address& address) {
    std::shared_ptr<Protocol> protocol = wrappedFactory_->build(address);
    if (!protocol) return nullptr;
    return wrap(std::move(protocol));
}

void WrappingFactory::doStart() {
    wrappedFactory_->doStart();
    ClientFactory::doStart();
}

void WrappingFactory::doStop() {
    wrappedFactory_->doStop();
    ClientFactory::doStop();
}

void WrappingFactory::startedConnecting(Connector& connector) {
    if (ClientFactory* client = clientFactory()) client->startedConnecting(connector);
}

void WrappingFactory::clientConnectionFailed(Connector& connector, const Failure& reason) {
    if (ClientFactory* client = clientFactory()) client->clientConnectionFailed(connector, reason);
}

void WrappingFactory::clientConnectionLost(Connector& connector, const Failure& reason) {
    if (ClientFactory* client = clientFactory()) client->clientConnectionLost(connector, reason);
}

void WrappingFactory::protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) {
    ClientFactory* const client = clientFactory();
    if (client == nullptr) return;
    const auto* wrapper = dynamic_cast<const ProtocolWrapper*>(protocol.get());
    client->protocolConnected(wrapper != nullptr ? wrapper->wrappedProtocol() : protocol, raised);
}

std::vector<std::string> WrappingFactory::acceptableProtocols() const { return wrappedFactory_->acceptableProtocols(); }

std::string WrappingFactory::logPrefix() const {
    return wrappedFactory_->logPrefix() + " (" + Factory::logPrefix() + ")";
}

void WrappingFactory::disconnectAll() {
    const std::vector<ProtocolWrapper*> all(protocols_.begin(), protocols_.end());  // the set changes under us
    for (ProtocolWrapper* protocol : all) {
        if (protocols_.count(protocol) != 0) protocol->loseConnection();
    }
}

}  // namespace torsion
