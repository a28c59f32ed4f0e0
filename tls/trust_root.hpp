#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torsion/tls/certificate.hpp>

struct x509_store_st;  // OpenSSL's X509_STORE
struct ssl_ctx_st;     // OpenSSL's SSL_CTX

namespace torsion::ssl {

/// Whom we believe when they say who somebody is (IOpenSSLTrustRoot). Cheap to copy.
///
/// A certificate is a trust root if it signed itself: an authority's, or a server's own self-signed one. One that
/// another authority signed is no anchor of its own, as in Twisted: its authority is wanted too.
class TrustRoot {
public:
    /// Trusts one certificate, and whom it signed.
    explicit(false) TrustRoot(const Certificate& authority);

    /// Trusts each of them. @throws ValueError if there is none
    explicit TrustRoot(std::vector<Certificate> authorities);

    /// The certificates; empty for the platform's, which are looked up when needed.
    const std::vector<Certificate>& authorities() const noexcept { return authorities_; }

    x509_store_st* native() const noexcept { return store_.get(); }

private:
    friend TrustRoot platformTrust();
    explicit TrustRoot(std::shared_ptr<x509_store_st> store) noexcept : store_(std::move(store)) {}

    std::vector<Certificate> authorities_;
    std::shared_ptr<x509_store_st> store_;
};

/// Trusts the certificates listed (twisted.internet.ssl.trustRootFromCertificates). @throws ValueError if there is none
TrustRoot trustRootFromCertificates(const std::vector<Certificate>& certificates);

/// Trusts all certificates of one PEM file. @throws std::system_error if it cannot be read
/// @throws ssl::Error that names the file, if there is no certificate in it or one is malformed
TrustRoot trustRootFromFile(const std::string& path);

/// Trusts the first certificate of each file of a folder whose name ends in .pem, in any case of letters. Other files
/// and what cannot be read are passed over, as Twisted does (ES-5).
/// @throws ValueError that names the folder, if there is no certificate at all
TrustRoot trustRootFromDirectory(const std::string& path);

/// Trusts whom this system trusts (twisted.internet.ssl.platformTrust): the default paths of OpenSSL, which on Debian
/// are those of the package ca-certificates, and SSL_CERT_FILE and SSL_CERT_DIR in the environment. They are read once
/// a process, and again when they have changed. Any thread may call it.
/// @throws ssl::Error that names these places, if there is no certificate in any of them
TrustRoot platformTrust();

}  // namespace torsion::ssl
