// What a recipe says about sessions and the key log, told to OpenSSL's context: a part of Context.

#include <array>
#include <cstdint>
#include <cstring>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <torsion/core/error.hpp>
#include <torsion/tls/context.hpp>
#include <torsion/tls/context_state.hpp>
#include <torsion/tls/errors.hpp>

namespace torsion::ssl {

namespace {

/// Adds @p part so that two lists of parts never make the same text.
void add(std::string& text, std::string_view part) {
    text += std::to_string(part.size());
    text += ':';
    text += part;
}

std::string fingerprintOf(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) throwFromQueue("There is no SHA-256");
    return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

/// Twisted's: 7 random octets in hex.
std::string randomName() {
    std::array<unsigned char, 7> octets{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) throwFromQueue("There is no randomness");
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string name;
    for (const unsigned octet : octets) {
        name += kDigits[octet >> 4U];
        name += kDigits[octet & 15U];
    }
    return name;
}

}  // namespace

/// A name that is the same for all recipes whose sessions are as good as each other's: nobody is verified again when a
/// session is resumed, so whatever decides who gets one must be in it.
std::string Context::sessionPolicy(const Parameters& parameters) const {
    std::string policy;
    add(policy, "torsion session policy 1");
    const X509* own = SSL_CTX_get0_certificate(native_.get());
    add(policy, own != nullptr ? fingerprintOf(own) : std::string());
    add(policy, std::to_string(SSL_CTX_get_verify_mode(native_.get())));
    add(policy, std::to_string(SSL_CTX_get_verify_depth(native_.get())));
    const bool verifies = (SSL_CTX_get_verify_mode(native_.get()) & SSL_VERIFY_PEER) != 0;
    if (verifies) {
        const auto& authorities =
            parameters.trustRoot_ ? parameters.trustRoot_->authorities() : parameters.caCerts_.value();
        add(policy, std::to_string(authorities.size()));
        for (const Certificate& authority : authorities) add(policy, fingerprintOf(authority.native()));
        const auto lists = parameters.revocationLists_.value_or(std::vector<RevocationList>());
        add(policy, std::to_string(lists.size()));
        add(policy, parameters.revocationScope_ == RevocationScope::wholeChain ? "chain" : "leaf");
        for (const RevocationList& list : lists) add(policy, list.dump());
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(policy.data(), policy.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        throwFromQueue("There is no SHA-256");
    }
    return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

namespace {

/// OpenSSL's callback before it makes a ticket. In TLS 1.3 each one sets the time of its session anew, so that a client
/// which comes back often enough would never be verified again: the time of the full handshake goes along, and counts.
int keepTimeOfHandshake(SSL* connection, void*) noexcept {
    SSL_SESSION* session = SSL_get_session(connection);
    std::int64_t verified = 0;
    void* data = nullptr;
    std::size_t size = 0;
    if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) == 1 && size == sizeof verified) {
        std::memcpy(&verified, data, size);
        SSL_SESSION_set_time(session, static_cast<long>(verified));
        return 1;
    }
    verified = SSL_SESSION_get_time(session);
    return SSL_SESSION_set1_ticket_appdata(session, &verified, sizeof verified);
}

}  // namespace

void Context::setSessions(const Parameters& parameters) {
    if (parameters.keyLog_) logKeys(native_.get(), *parameters.keyLog_);
    SSL_CTX_set_timeout(native_.get(), static_cast<long>(parameters.sessionTimeout_ / std::chrono::seconds(1)));
    if (role_ == Role::client) {
        setClientSessions(parameters);
    } else {
        setServerSessions(parameters);
    }
}

void Context::setClientSessions(const Parameters& parameters) {
    if (parameters.ticketKeys_ || parameters.numTickets_) {
        throw TypeError("ticketKeys and numTickets are a server's: a client takes the tickets that it is given");
    }
    if (parameters.enableSessions_ || parameters.enableSessionTickets_) {
        keepSessions(native_.get(), parameters.sessionCacheSize_.value_or(kDefaultClientSessionCacheSize));
    } else {
        SSL_CTX_set_session_cache_mode(native_.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(native_.get(), SSL_OP_NO_TICKET);
    }
}

void Context::setServerSessions(const Parameters& parameters) {
    SSL_CTX* context = native_.get();
    // Without one, sessions of a client that showed a certificate cannot be resumed. Recipes that do not share keys
    // each have their own.
    const std::string name = parameters.ticketKeys_ ? sessionPolicy(parameters) : randomName();
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<unsigned>(name.size()));

    SSL_CTX_set_session_cache_mode(context, parameters.enableSessions_ ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_cache_size(
        context, static_cast<long>(parameters.sessionCacheSize_.value_or(kDefaultServerSessionCacheSize)));
    // Also without tickets: a connection that goes over to another recipe by its server name takes the keys from that
    // one, and the callback from this.
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticketKey);
    SSL_CTX_set_session_ticket_cb(context, keepTimeOfHandshake, nullptr, nullptr);
    if (parameters.enableSessionTickets_) {
        ContextState::of(context).ticketKeys = parameters.ticketKeys_ ? *parameters.ticketKeys_ : TicketKeys();
    } else {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
    // In TLS 1.3 a session of either kind comes as a ticket: a record each that nobody could use otherwise.
    const bool resumable = parameters.enableSessions_ || parameters.enableSessionTickets_;
    SSL_CTX_set_num_tickets(context, resumable ? parameters.numTickets_.value_or(kDefaultNumTickets) : 0);
}

}  // namespace torsion::ssl
