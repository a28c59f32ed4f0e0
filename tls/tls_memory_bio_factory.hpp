#pragma once

#include <memory>

#include <torsion/core/context_factory.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/tls/connection_made.hpp>

namespace torsion {

/// Puts the protocols of any factory behind TLS, over any transport (twisted.protocols.tls.TLSMemoryBIOFactory).
class TLSMemoryBIOFactory : public WrappingFactory {
public:
    /// @param connectionMade when the protocols hear of their connection
    /// @throws TypeError at once if @p options cannot play @p role
    TLSMemoryBIOFactory(const ssl::ContextFactory& options, ssl::Role role, std::shared_ptr<Factory> wrappedFactory,
                        ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

    /// For the connections to come, in place of the recipe's. @throws ValueError unless positive
    void setHandshakeTimeout(Duration timeout);
    void setCloseTimeout(Duration timeout);

    std::shared_ptr<ProtocolWrapper> wrap(std::shared_ptr<Protocol> protocol) override;
    void protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) override;
    std::string logPrefix() const override;

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    ssl::Role role_;
    ConnectionMade connectionMade_;
};

}  // namespace torsion
