#pragma once

#include <memory>
#include <utility>

#include <torsion/core/protocol.hpp>

namespace torsion {

/// A protocol that passes every callback on to another one: derive, and override single callbacks
/// (proxyForInterface(IProtocol)). The transport sees the proxy, the original sees the transport itself.
class ProtocolProxy : public Protocol {
public:
    explicit ProtocolProxy(std::shared_ptr<Protocol> original) noexcept : original_(std::move(original)) {}

    const std::shared_ptr<Protocol>& original() const noexcept { return original_; }

    void makeConnection(std::shared_ptr<Transport> transport) override {
        setTransport(transport);
        setConnected();
        original_->makeConnection(std::move(transport));
    }
    void connectionMade() override { original_->connectionMade(); }
    void dataReceived(BytesView data) override { original_->dataReceived(data); }
    void connectionLost(const Failure& reason) override { original_->deliverConnectionLost(reason); }
    Bytes takeUnprocessed() override { return original_->takeUnprocessed(); }
    Protocol* wrapped() const noexcept override { return original_.get(); }

private:
    void releaseWrapped() noexcept override { original_.reset(); }

    std::shared_ptr<Protocol> original_;
};

}  // namespace torsion
