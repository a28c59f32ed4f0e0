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

/// What hangs on OpenSSL's object of one connection, since contexts are shared and immutable (TLS-17, TLS-18).
struct ConnectionState {
    /// Our ALPN list as it stands on the wire (RFC 7301); empty means that we negotiate none.
    std::string protocols;

    /// On a server of several names, who decides which one is meant; null after that, and on all others.
    std::shared_ptr<const ServerNameSelector> serverNames;
    /// On a server, the name that the client asked for, as it was sent; empty if it sent none, null before.
    std::optional<std::string> askedFor;
    /// Whether the ALPN list is this connection's own, which no choice by name replaces.
    bool protocolsAreOwn = false;
    /// Why the client was sent away, if it was because of the name that it asked for.
    std::string refusal;

    /// On a client that resumes, when the server was verified: the time of the session, in OpenSSL's seconds.
    std::optional<long> verifiedAt;

    // Why the peer's certificate was refused: what OpenSSL knows during the check only.
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
