#pragma once

#include <memory>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/endpoint.hpp>

namespace torsion::endpoints {

/// An endpoint that connects as @p wrapped does and then speaks TLS (twisted.internet.endpoints.wrapClientTLS). Its
/// Deferred fires with the application's protocol, not with TLS's, when connectionMade has returned: the handshake may
/// still be under way (TLS-1), and if it fails the protocol hears of it in connectionLost (HE-7).
/// @param connectionCreator the recipe, from optionsForClientTLS; kept by its share()
/// @throws TypeError if @p wrapped is null
std::shared_ptr<StreamClientEndpoint> wrapClientTLS(const ssl::ContextFactory& connectionCreator,
                                                    std::shared_ptr<StreamClientEndpoint> wrapped);

}  // namespace torsion::endpoints
