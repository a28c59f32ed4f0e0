#pragma once

// Private to the tls folder.

#include <memory>
#include <optional>

#include <torsion/tls/key_log.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/session_cache.hpp>
#include <torsion/tls/ticket_keys.hpp>

namespace torsion::ssl {

/// What hangs on OpenSSL's context of one recipe, for the callbacks that OpenSSL makes from its connections, which may
/// outlive the recipe. Filled while the context is built, and not changed afterwards.
struct ContextState {
    std::optional<TicketKeys> ticketKeys;    ///< of a server with session tickets
    std::unique_ptr<SessionCache> sessions;  ///< of a client that resumes
    std::optional<KeyLog> keyLog;

    /// The state of @p context, or null if it has none.
    static const ContextState* find(const SSL_CTX* context) noexcept;
    /// The state of @p context, made if there is none. It dies with the context.
    static ContextState& of(SSL_CTX* context);
};

/// OpenSSL's callback on servers, which asks for the key to seal or to open one ticket with: the context's TicketKeys.
int ticketKey(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              int sealing) noexcept;

/// Keeps the sessions of a client's context, up to @p size of them.
void keepSessions(SSL_CTX* context, std::size_t size);

/// Lets @p connection, which has not begun, resume a session of its context if there is one.
void resumeSession(SSL* connection);

/// Takes that back if @p connection never began: its ticket was not used, and serves another one.
void returnSession(SSL* connection) noexcept;

/// Writes the secrets of a context's connections to @p log.
void logKeys(SSL_CTX* context, const KeyLog& log);

}  // namespace torsion::ssl
