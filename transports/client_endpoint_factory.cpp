#include <torsion/transports/client_endpoint_factory.hpp>

#include <torsion/core/error.hpp>

namespace torsion::endpoints::detail {

std::shared_ptr<ClientEndpointFactory> ClientEndpointFactory::create(std::shared_ptr<Factory> factory,
                                                                     Address destination) {
    auto attempt = std::make_shared<ClientEndpointFactory>(std::move(factory), std::move(destination));
    // Weak, for the attempt holds the Deferred: the two would keep each other if nobody fired it.
    attempt->result_ = Result([weak = std::weak_ptr<ClientEndpointFactory>(attempt)](Result& result) {
        if (const std::shared_ptr<ClientEndpointFactory> self = weak.lock()) self->cancelled(result);
    });
    return attempt;
}

ClientEndpointFactory::Result ClientEndpointFactory::connect(std::shared_ptr<Factory> factory, Address destination,
                                                             Begin begin) {
    const auto attempt = create(std::move(factory), std::move(destination));
    const Result result = attempt->result();
    attempt->start(std::move(begin));
    return result;
}

void ClientEndpointFactory::start(Begin begin) {
    try {
        if (!factory_) throw TypeError("an endpoint needs a factory to connect, not null");
        connector_ = begin(std::static_pointer_cast<ClientFactory>(shared_from_this()));
    } catch (...) {
        fail(Failure::current());
    }
}

std::shared_ptr<Protocol> ClientEndpointFactory::buildProtocol(const Address& address) {
    reached_ = true;
    if (done()) return nullptr;  // given up: the connection came too late
    std::shared_ptr<Protocol> protocol;
    try {
        protocol = factory_->build(address);
        if (!protocol) fail(failureOf<NoProtocol>());
    } catch (...) {
        fail(Failure::current());  // reported here (EP-3), and the transport closes for want of a protocol
    }
    if (done()) return nullptr;  // also if the user's factory gave up
    return protocol;
}

void ClientEndpointFactory::protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) {
    if (auto* client = dynamic_cast<ClientFactory*>(factory_.get())) client->protocolConnected(protocol, raised);
    if (raised != nullptr) {
        fail(*raised);
    } else if (!done()) {
        const Result result = std::move(result_);
        result.callback(protocol);
    }
}

void ClientEndpointFactory::clientConnectionFailed(Connector&, const Failure& reason) { fail(reason); }

void ClientEndpointFactory::clientConnectionLost(Connector&, const Failure& reason) {
    fail(reason);  // of use only if the connection ended before its protocol was up
}

void ClientEndpointFactory::fail(const Failure& reason) {
    if (done()) return;
    const Result result = std::move(result_);
    result.errback(reason);
}

void ClientEndpointFactory::giveUp() {
    if (done()) return;
    const Result result = result_;
    result.cancel();
}

void ClientEndpointFactory::cancelled(const Result& result) {
    const std::shared_ptr<Connector> connector = connector_.lock();
    static_cast<void>(Result(std::move(result_)));
    result.errback(ConnectingCancelledError(destination_.str()));
    if (!connector) return;
    if (connector->state() == Connector::State::connecting) {
        connector->stopConnecting();
    } else {
        connector->disconnect();  // from inside the protocol's connectionMade
    }
}

}  // namespace torsion::endpoints::detail
