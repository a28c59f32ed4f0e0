#include <torsion/protocols/protocol_wrapper.hpp>

#include <torsion/protocols/wrapping_factory.hpp>

namespace torsion {

ProtocolWrapper::ProtocolWrapper(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<Protocol> wrappedProtocol)
    : wrappedProtocol_(std::move(wrappedProtocol)), wrappingFactory_(std::move(factory)) {}

std::shared_ptr<Transport> ProtocolWrapper::asTransport() {
    // An alias of the protocol's own count: two bases that each can make shared pointers of themselves do not work.
    return {shared_from_this(), static_cast<Transport*>(this)};
}

void ProtocolWrapper::makeConnection(std::shared_ptr<Transport> transport) {
    setTransport(std::move(transport));
    setConnected();
    if (wrappingFactory_) wrappingFactory_->registerProtocol(*this);  // before the wrapped connectionMade (PO-1)
    connectionMade();
}

void ProtocolWrapper::connectionMade() { wrappedProtocol_->makeConnection(asTransport()); }

void ProtocolWrapper::dataReceived(BytesView data) { wrappedProtocol_->dataReceived(data); }

void ProtocolWrapper::connectionLost(const Failure& reason) {
    if (wrappingFactory_) wrappingFactory_->unregisterProtocol(*this);
    if (wrappedProtocol_) wrappedProtocol_->deliverConnectionLost(reason);
}

Bytes ProtocolWrapper::takeUnprocessed() { return wrappedProtocol_ ? wrappedProtocol_->takeUnprocessed() : Bytes(); }

void ProtocolWrapper::registerProducer(std::shared_ptr<Producer> producer, bool streaming) {
    transport().registerProducer(std::move(producer), streaming);
}

void ProtocolWrapper::unregisterProducer() { transport().unregisterProducer(); }

void ProtocolWrapper::pauseProducing() { transport().pauseProducing(); }

void ProtocolWrapper::resumeProducing() { transport().resumeProducing(); }

void ProtocolWrapper::stopProducing() { transport().stopProducing(); }

void ProtocolWrapper::loseConnection() {
    disconnecting_ = true;  // so that LineReceiver's check works through layers (PO-4)
    transport().loseConnection();
}

void ProtocolWrapper::abortConnection() {
    disconnecting_ = true;
    transport().abortConnection();
}

void ProtocolWrapper::failConnection(const Failure& reason) {
    disconnecting_ = true;
    transport().failConnection(reason);
}

Address ProtocolWrapper::getPeer() const { return transport().getPeer(); }

Address ProtocolWrapper::getHost() const { return transport().getHost(); }

void ProtocolWrapper::writeView(BytesView data) { transport().write(data); }

void ProtocolWrapper::writeOwned(Bytes&& data) { transport().write(std::move(data)); }

}  // namespace torsion
