#include <torsion/tls/ocsp_stapling.hpp>

#include <cstring>
#include <memory>
#include <new>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

void destroyStaple(void*, void* staple, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<OCSPStaple*>(staple); }

int stapleIndex() noexcept {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, destroyStaple);
    return index;
}

/// OpenSSL's callback of a server whose client asks for a staple.
int sendStaple(SSL* connection, void* argument) noexcept {
    try {
        const Bytes response = static_cast<const OCSPStaple*>(argument)->current();
        if (response.empty()) return SSL_TLSEXT_ERR_NOACK;
        auto* copy = static_cast<unsigned char*>(OPENSSL_malloc(response.size()));  // the connection takes it over
        if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
        std::memcpy(copy, response.data(), response.size());
        if (SSL_set_tlsext_status_ocsp_resp(connection, copy, static_cast<long>(response.size())) == 1) {
            return SSL_TLSEXT_ERR_OK;
        }
        OPENSSL_free(copy);
    } catch (...) {
        // Nothing may be thrown through OpenSSL (TLS-19). A client that insists on a staple will say so.
    }
    return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

void stapleWith(ssl_ctx_st* context, const OCSPStaple& staple) {
    auto owned = std::make_unique<OCSPStaple>(staple);
    if (SSL_CTX_set_ex_data(context, stapleIndex(), owned.get()) != 1) throw std::bad_alloc();
    SSL_CTX_set_tlsext_status_cb(context, sendStaple);
    SSL_CTX_set_tlsext_status_arg(context, owned.release());
}

}  // namespace torsion::ssl
