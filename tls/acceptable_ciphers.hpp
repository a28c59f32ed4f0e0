#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace torsion::ssl {

/// An ordered choice of ciphers (IAcceptableCiphers). What this OpenSSL does not have is left out; if nothing is left,
/// the recipe that uses the choice throws at construction.
class AcceptableCiphers {
public:
    /// Twisted's choice: AEAD with forward secrecy first, then CBC, plain RSA key exchange last; nothing anonymous, no
    /// MD5, no DSS.
    AcceptableCiphers();

    /// Takes a string in OpenSSL's syntax (man ciphers). Names that begin with TLS_ are TLS 1.3's; if there is none of
    /// them, TLS 1.3 keeps its own. A string of TLS_ names only leaves nothing for older versions, and so excludes
    /// them.
    static AcceptableCiphers fromOpenSSLCipherString(std::string_view ciphers);

    /// For TLS 1.2 and before, in OpenSSL's syntax; may be empty.
    const std::string& cipherList() const noexcept { return cipherList_; }

    /// TLS 1.3's suites, colon-separated; may be empty, which means all.
    const std::string& cipherSuites() const noexcept { return cipherSuites_; }

    /// What of it this OpenSSL has, by name and in order.
    std::vector<std::string> names() const;

private:
    std::string cipherList_;
    std::string cipherSuites_;
};

}  // namespace torsion::ssl
