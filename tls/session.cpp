#include <torsion/tls/session.hpp>

#include <array>

#include <openssl/objects.h>

#include <torsion/core/error.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/context_state.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

void checkUpTo(std::size_t size, std::size_t most, const char* what) {
    if (size <= most) return;
    throw ValueError(std::string(what) + " of exported keying material has at most " + std::to_string(most) +
                     " octets, not " + std::to_string(size));
}

/// The labels of TLS 1.2 itself (RFC 5705, 4): with them, secrets of the connection would come out.
bool isReserved(std::string_view label) {
    constexpr std::array<std::string_view, 5> kReserved = {"client finished", "server finished", "master secret",
                                                           "extended master secret", "key expansion"};
    for (const std::string_view reserved : kReserved) {
        // By their beginnings: label and context are not told apart where they are joined.
        if (label.substr(0, reserved.size()) == reserved) return true;
    }
    return false;
}

}  // namespace

Session::~Session() {
    if (role_ == Role::client) returnSession(native_);
    SSL_free(native_);
}

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

std::optional<std::string> Session::serverName() const {
    if (role_ == Role::server) {
        // Not OpenSSL's word, which forgets the name when a session of TLS 1.2 is resumed.
        const ConnectionState* state = ConnectionState::find(native_);
        const bool asked = state != nullptr && state->askedFor && !state->askedFor->empty();
        return asked ? state->askedFor : std::nullopt;
    }
    const char* name = SSL_get_servername(native_, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return std::nullopt;
    return std::string(name);
}

std::string Session::version() const {
    // Before a cipher is agreed on OpenSSL answers with the newest version that it would speak.
    return SSL_get_current_cipher(native_) != nullptr ? SSL_get_version(native_) : "";
}

std::string Session::cipher() const {
    const SSL_CIPHER* cipher = SSL_get_current_cipher(native_);
    return cipher != nullptr ? SSL_CIPHER_get_name(cipher) : "";
}

bool Session::handshakeDone() const {
    // Whether both Finished are through. SSL_is_init_finished is false again while a ticket is half read.
    char octet = 0;
    return SSL_get_finished(native_, &octet, 1) > 0 && SSL_get_peer_finished(native_, &octet, 1) > 0;
}

bool Session::reused() const { return handshakeDone() && SSL_session_reused(native_) == 1; }

void Session::requireHandshake(const char* what) const {
    if (handshakeDone()) return;
    throw RuntimeError(std::string(what) + " before the TLS handshake is done: wait for handshakeCompleted");
}

Bytes Session::exportKeyingMaterial(std::string_view label, std::size_t size, std::optional<BytesView> context) const {
    requireHandshake("exportKeyingMaterial was called");
    if (size == 0) throw ValueError("No keying material was asked for: the size is 0");
    if (label.empty()) throw ValueError("The label of exported keying material is empty");
    checkUpTo(size, kMostKeyingMaterial, "A piece");
    checkUpTo(label.size(), kLongestLabel, "The label");
    if (isReserved(label)) {
        throw ValueError("The label '" + printable(label) + "' of exported keying material belongs to TLS itself");
    }
    if (context) checkUpTo(context->size(), kLongestContext, "The context");
    Bytes material(size, '\0');
    const BytesView octets = context.value_or(BytesView());
    const int made = callOpenSSL([&] {
        return SSL_export_keying_material(
            native_, reinterpret_cast<unsigned char*>(material.data()), size, label.data(), label.size(),
            reinterpret_cast<const unsigned char*>(octets.data()), octets.size(), context.has_value() ? 1 : 0);
    });
    if (made != 1) throwFromQueue("No keying material can be exported under the label '" + printable(label) + "'");
    return material;
}

Bytes Session::channelBinding(std::string_view type) const {
    if (type == "tls-exporter") return exporterBinding();
    if (type == "tls-server-end-point") return endPointBinding();
    throw ValueError("There is no channel binding '" + printable(type) +
                     "': the types are tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929)");
}

Bytes Session::exporterBinding() const {
    requireHandshake("channelBinding was called");
    // Without it, two connections of TLS 1.2 can be made to have the same secrets (RFC 9266, 4.2).
    if (SSL_version(native_) < TLS1_3_VERSION && SSL_get_extms_support(native_) != 1) {
        throw RuntimeError(
            "This connection has no tls-exporter binding: it speaks TLS 1.2 without the extended master secret (RFC "
            "7627), which the peer does not offer");
    }
    constexpr std::size_t kBindingSize = 32;
    return exportKeyingMaterial("EXPORTER-Channel-Binding", kBindingSize, BytesView());
}

Bytes Session::endPointBinding() const {
    requireHandshake("channelBinding was called");
    const X509* certificate = role_ == Role::server ? SSL_get_certificate(native_) : SSL_get0_peer_certificate(native_);
    if (certificate == nullptr) {
        throw RuntimeError("This connection has no tls-server-end-point binding: the server showed no certificate");
    }
    int digest = NID_undef;
    if (X509_get_signature_info(const_cast<X509*>(certificate), &digest, nullptr, nullptr, nullptr) != 1) {
        digest = NID_undef;
    }
    if (digest == NID_undef) {
        throw RuntimeError(
            "This connection has no tls-server-end-point binding: RFC 5929 defines none for a certificate whose "
            "signature has no hash of its own, such as Ed25519; use tls-exporter");
    }
    if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1) digest = NID_sha256;  // RFC 5929, 4.1
    const EVP_MD* hash = EVP_get_digestbynid(digest);
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    if (hash == nullptr || callOpenSSL([&] { return X509_digest(certificate, hash, octets.data(), &size); }) != 1) {
        throwFromQueue("The tls-server-end-point binding cannot be computed");
    }
    return Bytes(reinterpret_cast<const char*>(octets.data()), size);
}

}  // namespace torsion::ssl
