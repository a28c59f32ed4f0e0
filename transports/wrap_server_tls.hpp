#pragma once

#include <memory>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/tls/connection_made.hpp>

namespace torsion::endpoints {

/// An endpoint that listens as @p wrapped does and speaks TLS on each connection: the counterpart of wrapClientTLS.
/// @param options the recipe, such as CertificateOptions, ServerNameMap or CertificateDirectory; kept by its share()
/// @param connectionMade when the protocols hear of their connection
/// @throws TypeError if @p wrapped is null; a recipe that cannot serve fails the Deferred of listen()
std::shared_ptr<StreamServerEndpoint> wrapServerTLS(const ssl::ContextFactory& options,
                                                    std::shared_ptr<StreamServerEndpoint> wrapped,
                                                    ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

}  // namespace torsion::endpoints
