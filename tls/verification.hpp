#pragma once

// Private to the tls folder.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/tls/ocsp_policy.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/revocation_list.hpp>

namespace torsion::ssl {

class ServerNameSelector;

/// Why a connection was refused, where OpenSSL's error queue does not say enough.
struct Refusal {
    /// In words, if it was because of the server name that the client asked for.
    std::string serverName;

    // Of the peer's certificate: what OpenSSL knows during the check only.
    int verifyError = X509_V_OK;
    int depth = 0;
    std::string subject;
    std::string issuer;
    std::string notBefore;
    std::string notAfter;
    std::vector<std::string> names;  // who the certificate is for
    std::vector<std::string> pinsSeen;
    std::vector<std::string> pinsWanted;  // empty unless none of them was seen
    std::string stapleProblem;            // empty unless it is for this that the certificate was refused

    /// What is known of @p connection; null if nothing is.
    static const Refusal* find(const SSL* connection) noexcept;
    /// The same, made if there is none yet.
    static Refusal& of(SSL* connection);
};

/// What hangs on OpenSSL's object of one connection, since contexts are shared and immutable (TLS-17, TLS-18). Most
/// connections have none, for it would be a part of what an idle one costs.
struct ConnectionState {
    /// Our ALPN list as it stands on the wire (RFC 7301); empty means that we negotiate none.
    std::string protocols;

    /// On a server of several names, who decides which one is meant; null after that, and on all others.
    std::shared_ptr<const ServerNameSelector> serverNames;
    /// On a server, the name that the client asked for, as it was sent; empty if it sent none, null before.
    std::optional<std::string> askedFor;
    /// Whether the ALPN list is this connection's own, which no choice by name replaces.
    bool protocolsAreOwn = false;

    /// On a client that resumes, when the server was verified: the time of the session, in OpenSSL's seconds.
    std::optional<long> verifiedAt;

    std::unique_ptr<Refusal> refusal;

    /// The state of @p connection, or null if it has none yet.
    static const ConnectionState* find(const SSL* connection) noexcept;
    /// The state of @p connection, made if there is none. It dies with the connection.
    static ConnectionState& of(SSL* connection);
};

/// What a recipe demands of the peer's certificate beyond what OpenSSL can be told.
struct PeerChecks {
    PeerChecks() = default;
    PeerChecks(const PeerChecks&) = delete;
    PeerChecks& operator=(const PeerChecks&) = delete;
    ~PeerChecks() { sk_X509_CRL_free(nativeLists); }

    bool verifyChain = true;  // if not, the pins are all that is checked
    std::vector<std::string> pins;
    std::vector<RevocationList> lists;
    STACK_OF(X509_CRL) * nativeLists = nullptr;  // the same, as OpenSSL wants them
    OCSPPolicy ocsp = OCSPPolicy::off;
    std::chrono::seconds ocspSkew = kDefaultOCSPSkew;

    /// Makes them part of @p context, and lives as long.
    static void install(SSL_CTX* context, std::unique_ptr<PeerChecks> checks);
};

/// OpenSSL's verify callback: agrees with OpenSSL, and takes down what it found.
int noteVerification(int accepted, X509_STORE_CTX* verification) noexcept;

}  // namespace torsion::ssl
