#pragma once

#include <memory>

#include <torsion/core/context_factory.hpp>
#include <torsion/protocols/wrapping_factory.hpp>

namespace torsion {

/// Puts the protocols of any factory behind TLS, over any transport (twisted.protocols.tls.TLSMemoryBIOFactory).
class TLSMemoryBIOFactory : public WrappingFactory {
public:
    /// @throws TypeError at once if @p options cannot play @p role
    TLSMemoryBIOFactory(const ssl::ContextFactory& options, ssl::Role role, std::shared_ptr<Factory> wrappedFactory);

    std::shared_ptr<ProtocolWrapper> wrap(std::shared_ptr<Protocol> protocol) override;
    std::string logPrefix() const override;

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    ssl::Role role_;
};

}  // namespace torsion
