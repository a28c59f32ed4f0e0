#pragma once

#include <cstdint>
#include <string>

/// What may stand for a host and a port.
namespace torsion {

/// @p name in the form in which it is looked up: as it is if it is a literal address or in ASCII, and otherwise with
/// A-labels ("xn--...") for the labels with letters beyond ASCII (IDNA2008, see torsion/tls/idna.hpp). That form must
/// be one that can be looked up: labels of ASCII letters, digits, hyphens and underscores, 1 to 63 octets each and 253
/// in all, with or without a final dot (RFC 1123, RFC 2181). Hyphens may not begin or end a label.
/// @throws ValueError that shows the name and says what is wrong with it
std::string asciiHostname(const std::string& name);

/// The same check alone. @throws ValueError
void checkHostname(const std::string& name);

/// @p port, if it is one. @throws ValueError unless it is in 0..65535
std::uint16_t checkPort(int port);

/// @p text in single quotes on one line, whatever it holds: unprintable octets become \xNN.
std::string quoted(const std::string& text);

}  // namespace torsion
