#pragma once

#include <memory>
#include <unordered_set>

#include <torsion/core/factory.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>

namespace torsion {

/// Wraps each protocol of another factory (twisted.protocols.policies.WrappingFactory). It is a ClientFactory so that
/// it can stand wherever the wrapped one can: client events go to the wrapped factory if that is a ClientFactory
/// (PO-2).
class WrappingFactory : public ClientFactory {
public:
    explicit WrappingFactory(std::shared_ptr<Factory> wrappedFactory) : wrappedFactory_(std::move(wrappedFactory)) {}

    const std::shared_ptr<Factory>& wrappedFactory() const noexcept { return wrappedFactory_; }

    /// The wrapper of one protocol. Override to use a ProtocolWrapper of your own.
    virtual std::shared_ptr<ProtocolWrapper> wrap(std::shared_ptr<Protocol> protocol);

    /// What the wrapped factory builds, wrapped; null if that builds nothing (PO-3, D12).
    std::shared_ptr<Protocol> buildProtocol(const Address& address) override;

    void doStart() override;
    void doStop() override;
    void startedConnecting(Connector& connector) override;
    void clientConnectionFailed(Connector& connector, const Failure& reason) override;
    void clientConnectionLost(Connector& connector, const Failure& reason) override;
    void protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) override;
    std::vector<std::string> acceptableProtocols() const override;
    std::string logPrefix() const override;

    /// A wrapper begins and ends; called by it.
    virtual void registerProtocol(ProtocolWrapper& protocol) { protocols_.insert(&protocol); }
    virtual void unregisterProtocol(ProtocolWrapper& protocol) { protocols_.erase(&protocol); }

    /// The wrappers of live connections.
    const std::unordered_set<ProtocolWrapper*>& protocols() const noexcept { return protocols_; }

    /// Closes all live connections.
    void disconnectAll();

protected:
    /// This factory as the owner to hand to a wrapper.
    std::shared_ptr<WrappingFactory> self() { return std::static_pointer_cast<WrappingFactory>(shared_from_this()); }

    /// The wrapped factory, if it wants client events.
    ClientFactory* clientFactory() const noexcept { return dynamic_cast<ClientFactory*>(wrappedFactory_.get()); }

private:
    std::shared_ptr<Factory> wrappedFactory_;
    std::unordered_set<ProtocolWrapper*> protocols_;
};

}  // namespace torsion
