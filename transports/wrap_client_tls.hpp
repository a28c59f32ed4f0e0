#pragma once

#include <memory>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/tls/connection_made.hpp>

namespace torsion::endpoints {

/// An endpoint that connects as @p wrapped does and then speaks TLS (twisted.internet.endpoints.wrapClientTLS). Its
/// Deferred fires with the application's protocol, not with TLS's, when connectionMade has returned. By default the
/// handshake may still be under way then (TLS-1), and if it fails the protocol hears of it in connectionLost (HE-7).
/// With ConnectionMade::afterHandshake a connection is one to a verified peer: a handshake that fails is a failure of
/// the Deferred, such as ssl::CertificateVerifyError, ssl::VerificationError or TLSHandshakeTimeout; to cancel the
/// Deferred gives up the handshake, too.
/// @param connectionCreator the recipe, from optionsForClientTLS; kept by its share()
/// @throws TypeError if @p wrapped is null
std::shared_ptr<StreamClientEndpoint> wrapClientTLS(const ssl::ContextFactory& connectionCreator,
                                                    std::shared_ptr<StreamClientEndpoint> wrapped,
                                                    ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

}  // namespace torsion::endpoints
