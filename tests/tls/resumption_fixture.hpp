#pragma once

#include <doctest/doctest.h>

#include <cstddef>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/context_state.hpp>

namespace torsion::ssl::test {

/// A handshake of two recipes that ends as connections should: a session that ends without close_notify from here may
/// not be resumed.
class Connection {
public:
    Connection(const ContextFactory& clientOptions, const ContextFactory& serverOptions,
               const SessionOptions& forClient = {})
        : handshake(shake(clientOptions, serverOptions, forClient)) {
        if (!handshake.ok()) return;
        SSL_shutdown(handshake.client->native());
        SSL_shutdown(handshake.server->native());
    }

    /// Whether both ends resumed; they must not differ.
    bool resumed() const {
        REQUIRE_MESSAGE(handshake.ok(), handshake.clientText() << " / " << handshake.serverText());
        CHECK(handshake.client->reused() == handshake.server->reused());
        return handshake.client->reused();
    }

    /// How many sessions the client's recipe keeps now.
    std::size_t kept() const {
        const ContextState* state = ContextState::find(SSL_get_SSL_CTX(handshake.client->native()));
        return state != nullptr && state->sessions ? state->sessions->size() : 0;
    }

    Handshake handshake;
};

inline bool resumes(const ContextFactory& clientOptions, const ContextFactory& serverOptions) {
    return Connection(clientOptions, serverOptions).resumed();
}

using Parameters = CertificateOptions::Parameters;

inline Parameters server(TLSVersion highest = TLSVersion::TLSv1_3) {
    return Parameters(exampleCertificate()).lowerMaximumSecurityTo(highest);
}

/// A client of exampleCertificate() that resumes.
inline ClientTLSOptions resumingClient(const Parameters& extra = Parameters()) {
    return optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {},
                               Parameters(extra).enableSessions(true));
}

inline constexpr TLSVersion kVersions[] = {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3};

}  // namespace torsion::ssl::test
