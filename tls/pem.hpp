#pragma once

// Private to the tls folder.

#include <optional>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/encrypted_key.hpp>
#include <torsion/tls/key_pair.hpp>

namespace torsion::ssl {

/// What a PEM text holds, whatever the order.
struct PEMContents {
    std::vector<Certificate> certificates;
    std::optional<KeyPair> key;                // the first that is not encrypted
    std::optional<EncryptedKey> encryptedKey;  // the first that is
    std::optional<Bytes> request;              // the first certificate request, in DER
    std::vector<std::string> others;           // the types of what is neither

    bool empty() const noexcept { return certificates.empty() && !key && !encryptedKey && !request && others.empty(); }

    /// For an error text: "it holds 2 certificates and a DH PARAMETERS block".
    std::string describe() const;
};

/// Reads all blocks. @throws ssl::Error if one is malformed, or if there is none
PEMContents readPEM(BytesView pem);

}  // namespace torsion::ssl
