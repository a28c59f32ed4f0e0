#pragma once

#include <cstdint>
#include <string>

/// What may stand for a host and a port.
namespace torsion {

/// Checks that @p name could be looked up: a literal address, or labels of ASCII letters, digits, hyphens and
/// underscores, 1 to 63 octets each and 253 in all, with or without a final dot (RFC 1123, RFC 2181). Hyphens may not
/// begin or end a label. A name with letters beyond ASCII must be given as its A-label ("xn--...", RFC 5890).
/// @throws ValueError that shows the name and says what is wrong with it
void checkHostname(const std::string& name);

/// @p port, if it is one. @throws ValueError unless it is in 0..65535
std::uint16_t checkPort(int port);

/// @p text in single quotes on one line, whatever it holds: unprintable octets become \xNN.
std::string quoted(const std::string& text);

}  // namespace torsion
