#pragma once

#include <memory>
#include <string>

#include <torsion/core/bytes.hpp>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace torsion::ssl {

/// The group for Diffie-Hellman key exchange in TLS 1.2 and before (twisted.internet.ssl.DiffieHellmanParameters).
///
/// Without them a server does no finite-field DH there, as Twisted's. It loses no forward secrecy by that: every peer
/// of this century does the elliptic-curve kind, and TLS 1.3 has groups of its own. Cheap to copy.
class DiffieHellmanParameters {
public:
    /// Smaller groups can be broken by those who can afford it (Logjam), so they are refused.
    static constexpr int kMinimumBits = 2048;

    /// Reads a PEM file such as `openssl dhparam 2048` makes.
    /// @throws ValueError that names the file if the group is too small, or it holds none
    /// @throws std::system_error if the file cannot be read
    static DiffieHellmanParameters fromFile(const std::string& path);

    /// Reads PEM. @throws ValueError as above
    static DiffieHellmanParameters fromPEM(BytesView pem);

    int bits() const noexcept;

    evp_pkey_st* native() const noexcept { return native_.get(); }

private:
    DiffieHellmanParameters(BytesView pem, const std::string& source);

    std::shared_ptr<evp_pkey_st> native_;
};

}  // namespace torsion::ssl
