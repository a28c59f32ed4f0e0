#pragma once

// Private to the tls folder.

#include <optional>
#include <string>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/passphrase.hpp>

namespace torsion::ssl {

/// A private key as it stands in a file, encrypted.
class EncryptedKey {
public:
    /// PKCS#8's EncryptedPrivateKeyInfo (RFC 5958), as in a block "ENCRYPTED PRIVATE KEY".
    static EncryptedKey pkcs8(Bytes der) { return EncryptedKey(std::nullopt, std::move(der)); }

    /// The older way of PEM (RFC 1421): @p header holds "Proc-Type: 4,ENCRYPTED" and "DEK-Info".
    static EncryptedKey traditional(std::string header, Bytes data) {
        return EncryptedKey(std::move(header), std::move(data));
    }

    /// Whether @p der looks like the former.
    static bool isPKCS8(BytesView der);

    /// @throws ssl::Error if there is no passphrase or a wrong one, or OpenSSL does not know the encryption
    KeyPair decrypt(Passphrase& passphrase) const;

    /// Writes @p key as a block "ENCRYPTED PRIVATE KEY". @throws ValueError for an empty or too long passphrase
    static std::string encryptPEM(const KeyPair& key, std::string_view passphrase);

private:
    EncryptedKey(std::optional<std::string> header, Bytes data) : header_(std::move(header)), data_(std::move(data)) {}

    std::optional<std::string> header_;  // of the traditional form
    Bytes data_;
};

}  // namespace torsion::ssl
