#pragma once

#include <memory>

#include <torsion/core/abilities.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/transport.hpp>

namespace torsion {

class WrappingFactory;

/// A protocol to the transport below and a transport to the protocol that it wraps
/// (twisted.protocols.policies.ProtocolWrapper). By itself it passes everything on, unchanged; derive, and override.
///
/// Of its links, wrappedProtocol() leads inward and transport() outward; both are strong, and the inward one ends when
/// connectionLost has been delivered.
class ProtocolWrapper : public Protocol, public Transport {
public:
    /// @param factory the one that made this wrapper and hears of its begin and end; may be null
    ProtocolWrapper(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<Protocol> wrappedProtocol);

    const std::shared_ptr<Protocol>& wrappedProtocol() const noexcept { return wrappedProtocol_; }

    // As a protocol.
    void makeConnection(std::shared_ptr<Transport> transport) override;
    void connectionMade() override;
    void dataReceived(BytesView data) override;
    void connectionLost(const Failure& reason) override;
    Bytes takeUnprocessed() override;
    Protocol* wrapped() const noexcept override { return wrappedProtocol_.get(); }

    // As a transport.
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override;
    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;
    Address getPeer() const override;
    Address getHost() const override;
    bool disconnecting() const override { return disconnecting_; }
    Turn& turn() override { return transport().turn(); }
    Transport* lower() noexcept override { return &transport(); }

protected:
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override;

    /// This wrapper as the transport of the protocol inside.
    std::shared_ptr<Transport> asTransport();

    const std::shared_ptr<WrappingFactory>& wrappingFactory() const noexcept { return wrappingFactory_; }
    void setWrappingFactory(std::shared_ptr<WrappingFactory> factory) noexcept {
        wrappingFactory_ = std::move(factory);
    }
    void setWrappedProtocol(std::shared_ptr<Protocol> protocol) noexcept { wrappedProtocol_ = std::move(protocol); }
    void setDisconnecting() noexcept { disconnecting_ = true; }

    void releaseWrapped() noexcept override { wrappedProtocol_.reset(); }

private:
    std::shared_ptr<Protocol> wrappedProtocol_;
    std::shared_ptr<WrappingFactory> wrappingFactory_;
    bool disconnecting_ = false;
};

}  // namespace torsion
