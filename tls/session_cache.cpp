#include <torsion/tls/session_cache.hpp>

#include <algorithm>

#include <torsion/tls/context_state.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

void SessionCache::keep(SessionPointer session) {
    SessionPointer oldest;  // freed outside of the lock
    const std::lock_guard lock(mutex_);
    for (const SessionPointer& kept : sessions_) {
        if (kept == session) return;
    }
    sessions_.push_front(std::move(session));
    if (sessions_.size() <= size_) return;
    oldest = std::move(sessions_.back());
    sessions_.pop_back();
}

bool SessionCache::usable(const SSL_SESSION* session) const {
    // What the server says about a ticket counts, and what we say about sessions; 0 is a server that says nothing.
    const auto hint = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(session));
    const long ours = SSL_SESSION_get_timeout(session);
    const long lifetime = SSL_SESSION_has_ticket(session) == 1 && hint > 0 ? std::min(ours, hint) : ours;
    return SSL_SESSION_is_resumable(session) == 1 && clock_() - SSL_SESSION_get_time(session) < lifetime;
}

SessionPointer SessionCache::take() {
    const std::lock_guard lock(mutex_);
    sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(),
                                   [this](const SessionPointer& session) { return !usable(session.get()); }),
                    sessions_.end());
    if (sessions_.empty()) return nullptr;
    SSL_SESSION* newest = sessions_.front().get();
    if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
        SSL_SESSION_up_ref(newest);
        return SessionPointer(newest);
    }
    SessionPointer once = std::move(sessions_.front());
    sessions_.pop_front();
    return once;
}

std::size_t SessionCache::size() const {
    const std::lock_guard lock(mutex_);
    return sessions_.size();
}

namespace {

/// Keeps one more share of @p session, if it may be resumed. Nothing may be thrown through OpenSSL (TLS-19).
void keep(const SSL* connection, SSL_SESSION* session) noexcept {
    try {
        const ContextState* state = ContextState::find(SSL_get_SSL_CTX(connection));
        if (state == nullptr || !state->sessions || session == nullptr) return;
        const bool verifies = (SSL_get_verify_mode(connection) & SSL_VERIFY_PEER) != 0;
        if (verifies && SSL_get_verify_result(connection) != X509_V_OK) return;
        SSL_SESSION_up_ref(session);
        state->sessions->keep(SessionPointer(session));
    } catch (...) {
        return;  // it is not resumed, which costs a full handshake
    }
}

/// Comes at the end of a full handshake in TLS 1.2, and with each ticket in TLS 1.3. @return 0: the share is not ours
int noteSession(SSL* connection, SSL_SESSION* session) noexcept {
    const ConnectionState* state = ConnectionState::find(connection);
    if (SSL_session_reused(connection) == 1 && state != nullptr && state->verifiedAt) {
        SSL_SESSION_set_time(session, *state->verifiedAt);  // the server was verified then, and not now
    }
    keep(connection, session);
    return 0;
}

/// In TLS 1.2 a ticket that was renewed in a resumed handshake is told by nothing else.
void noteRenewal(const SSL* connection, int where, int) noexcept {
    if ((where & SSL_CB_HANDSHAKE_DONE) == 0 || SSL_version(connection) >= TLS1_3_VERSION) return;
    if (SSL_session_reused(connection) == 1) keep(connection, SSL_get0_session(connection));
}

}  // namespace

void keepSessions(SSL_CTX* context, std::size_t size) {
    ContextState::of(context).sessions = std::make_unique<SessionCache>(size);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, noteSession);
    SSL_CTX_set_info_callback(context, noteRenewal);
}

void resumeSession(SSL* connection) {
    const ContextState* state = ContextState::find(SSL_get_SSL_CTX(connection));
    if (state == nullptr || !state->sessions) return;
    const SessionPointer session = state->sessions->take();
    if (!session) return;
    if (SSL_set_session(connection, session.get()) != 1) {
        ERR_clear_error();  // a full handshake, then
        return;
    }
    ConnectionState::of(connection).verifiedAt = SSL_SESSION_get_time(session.get());
}

void returnSession(SSL* connection) noexcept {
    if (SSL_in_before(connection) == 1) keep(connection, SSL_get0_session(connection));
}

}  // namespace torsion::ssl
