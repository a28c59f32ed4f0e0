#pragma once

#include <cstddef>
#include <string>

#include <torsion/core/function.hpp>

namespace torsion::ssl {

/// Tells the passphrase of an encrypted private key. It is called once, on the calling thread, and only if the key is
/// encrypted; what it throws comes out of the call that loads the key. The text that it returns is wiped after use;
/// copies that it keeps are its own affair. An empty one means that there is none: nobody is ever asked on a terminal.
///
///     KeyPair::loadPEM(pem, [] { return std::string(std::getenv("KEY_PASSPHRASE")); })
using Passphrase = Function<std::string()>;

/// The longest passphrase in octets, OpenSSL's own limit for keys in PEM.
inline constexpr std::size_t kLongestPassphrase = 1024;

}  // namespace torsion::ssl
