#pragma once

// Private to the tls folder.

#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace torsion::ssl {

/// The pin of a certificate's public key: "sha256/" and the SHA-256 of its SubjectPublicKeyInfo in base64 (RFC
/// 7469, 2.4).
std::string publicKeyPin(const x509_st* certificate);

/// The pins in the form of publicKeyPin. curl's form with two slashes is taken, too.
/// @throws ValueError that names the one that is malformed, or says that there is none
std::vector<std::string> checkedPins(const std::vector<std::string>& pins);

}  // namespace torsion::ssl
