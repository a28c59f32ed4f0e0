#include <torsion/tls/verification.hpp>

#include <memory>
#include <new>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/errors.hpp>

namespace torsion::ssl {

namespace {

void destroyState(void*, void* state, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<ConnectionState*>(state);
}

int stateIndex() noexcept {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, destroyState);
    return index;
}

std::string textOf(const ASN1_TIME* time) {
    const BIOPointer bio = collectingBIO();
    return ASN1_TIME_print(bio.get(), time) == 1 ? contents(bio.get()) : "an unreadable time";
}

std::string nameOf(const DistinguishedName& name) {
    const std::string common = name.commonName();
    return printable(common.empty() ? name.str() : common);
}

void note(ConnectionState& state, X509_STORE_CTX* verification) {
    state.verifyError = X509_STORE_CTX_get_error(verification);
    state.depth = X509_STORE_CTX_get_error_depth(verification);
    X509* native = X509_STORE_CTX_get_current_cert(verification);
    if (native == nullptr) return;
    const Certificate certificate = Certificate::fromNative(native);
    state.subject = nameOf(certificate.getSubject());
    state.issuer = nameOf(certificate.getIssuer());
    state.notBefore = textOf(X509_get0_notBefore(native));
    state.notAfter = textOf(X509_get0_notAfter(native));
    state.names = certificate.subjectAltNames();
}

}  // namespace

const ConnectionState* ConnectionState::find(const SSL* connection) noexcept {
    return static_cast<const ConnectionState*>(SSL_get_ex_data(connection, stateIndex()));
}

ConnectionState& ConnectionState::of(SSL* connection) {
    if (auto* state = static_cast<ConnectionState*>(SSL_get_ex_data(connection, stateIndex()))) return *state;
    auto state = std::make_unique<ConnectionState>();
    if (SSL_set_ex_data(connection, stateIndex(), state.get()) != 1) throw std::bad_alloc();
    return *state.release();
}

int noteVerification(int accepted, X509_STORE_CTX* verification) noexcept {
    if (accepted == 1) return 1;
    // Nothing may be thrown through OpenSSL (TLS-19). If the note fails, only the error's text is poorer.
    try {
        auto* connection =
            static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
        if (connection != nullptr) note(ConnectionState::of(connection), verification);
    } catch (...) {
        return 0;
    }
    return 0;
}

}  // namespace torsion::ssl
