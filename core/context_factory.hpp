#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/duration.hpp>

namespace torsion::ssl {

class Certificate;
class Session;

enum class Role { client, server };

/// What one connection adds to its recipe.
struct SessionOptions {
    /// If not empty, replaces the recipe's ALPN list for this connection only (TLS-17: the recipe stays as it is).
    std::vector<std::string> acceptableProtocols;
};

/// A recipe for TLS connections, which Twisted calls a context factory for historical reasons. Server recipes are
/// CertificateOptions, client recipes come from optionsForClientTLS; both are declared in the tls folder.
/// Immutable after construction, and safe to use from several threads.
class ContextFactory {
public:
    virtual ~ContextFactory() = default;

    /// The same recipe as a shared object: a handle for whoever must keep it. Cheap.
    virtual std::shared_ptr<const ContextFactory> share() const = 0;

    /// The state of one new connection. @throws TypeError if the recipe cannot play @p role
    virtual std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const = 0;

    /// How long the peer may take for the handshake; always positive.
    virtual Duration handshakeTimeout() const = 0;

    /// How long the peer may take to answer our close_notify; always positive.
    virtual Duration closeTimeout() const = 0;
};

}  // namespace torsion::ssl
