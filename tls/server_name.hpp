#pragma once

// Private to the tls folder.

#include <string>
#include <string_view>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

class Context;

/// Decides which of several contexts serves a client, by the host name that it asks for (RFC 6066, 3).
class ServerNameSelector {
public:
    virtual ~ServerNameSelector() = default;

    /// The context for @p name, which is in the form of plainServerName() and empty if the client sent none; null to
    /// send it away. What is returned lives as long as this object.
    virtual const Context* choose(const std::string& name) const = 0;
};

/// The one form in which server names are compared: lower case, without a final dot.
std::string plainServerName(std::string_view name);

/// OpenSSL's callback on servers when a ClientHello has come, before anything was decided by it: takes down the server
/// name, and refuses a second ClientHello with another one. If a selector hangs on the connection, makes the connection
/// one of the context that it chooses (TLS-18), or refuses it with the alert unrecognized_name, or missing_extension if
/// there was no name (RFC 8446, 9.2).
int chooseByServerName(SSL* connection, int* alert, void*) noexcept;

}  // namespace torsion::ssl
