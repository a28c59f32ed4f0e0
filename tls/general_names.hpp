#pragma once

// Private to the tls folder.

#include <string>
#include <vector>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// The DNS names, then the IP addresses of a subjectAltName extension, which may be null, as printable text.
std::vector<std::string> textsOf(const GENERAL_NAMES* names);

/// Puts such an extension together. A U-label becomes its A-label; the first label may be "*".
/// @throws ValueError for a name that is neither a DNS name nor an IP address
GeneralNamesPointer generalNames(const std::vector<std::string>& names);

/// The texts with ", " between.
std::string join(const std::vector<std::string>& texts);

}  // namespace torsion::ssl
