#include <torsion/tls/session.hpp>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

Session::~Session() { SSL_free(native_); }

std::optional<Certificate> Session::peerCertificate() const {
    X509* certificate = SSL_get0_peer_certificate(native_);
    if (certificate == nullptr) return std::nullopt;
    return Certificate::fromNative(certificate);
}

std::optional<std::string> Session::negotiatedProtocol() const {
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(native_, &protocol, &size);
    if (size == 0) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(protocol), size);
}

std::string Session::version() const {
    // Before a cipher is agreed on OpenSSL answers with the newest version that it would speak.
    return SSL_get_current_cipher(native_) != nullptr ? SSL_get_version(native_) : "";
}

std::string Session::cipher() const {
    const SSL_CIPHER* cipher = SSL_get_current_cipher(native_);
    return cipher != nullptr ? SSL_CIPHER_get_name(cipher) : "";
}

}  // namespace torsion::ssl
