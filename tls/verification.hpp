#pragma once

// Private to the tls folder.

#include <string>
#include <vector>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// What hangs on OpenSSL's object of one connection, since contexts are shared and immutable (TLS-17, TLS-18).
struct ConnectionState {
    /// Our ALPN list as it stands on the wire (RFC 7301); empty means that we negotiate none.
    std::string protocols;

    // Why the peer's certificate was refused: what OpenSSL knows during the check only.
    int verifyError = X509_V_OK;
    int depth = 0;
    std::string subject;
    std::string issuer;
    std::string notBefore;
    std::string notAfter;
    std::vector<std::string> names;  // who the certificate is for

    /// The state of @p connection, or null if it has none yet.
    static const ConnectionState* find(const SSL* connection) noexcept;
    /// The state of @p connection, made if there is none. It dies with the connection.
    static ConnectionState& of(SSL* connection);
};

/// OpenSSL's verify callback: agrees with OpenSSL, and takes down what it found.
int noteVerification(int accepted, X509_STORE_CTX* verification) noexcept;

}  // namespace torsion::ssl
