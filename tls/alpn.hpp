#pragma once

// Private to the tls folder.

#include <string>
#include <vector>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// The list in the form of RFC 7301: each name behind its length.
/// @throws ValueError for a name that is empty or longer than 255 octets, or if the list is longer than 65535
std::string protocolsOnTheWire(const std::vector<std::string>& protocols);

/// OpenSSL's callback on servers: the first of our own protocols that the client offers (TLS-16). Without one in common
/// the handshake ends with the alert no_application_protocol (deviation D14).
int selectProtocol(SSL* connection, const unsigned char** selected, unsigned char* size, const unsigned char* offered,
                   unsigned offeredSize, void*) noexcept;

}  // namespace torsion::ssl
