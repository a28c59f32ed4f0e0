#include <torsion/tls/verification.hpp>

#include <algorithm>
#include <memory>
#include <new>

#include <torsion/tls/certificate.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/ocsp_response.hpp>
#include <torsion/tls/public_key_pin.hpp>

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

void destroyChecks(void*, void* checks, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<PeerChecks*>(checks); }

int checksIndex() noexcept {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, destroyChecks);
    return index;
}

SSL* connectionOf(X509_STORE_CTX* verification) noexcept {
    return static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

void note(Refusal& refusal, X509* native) {
    const Certificate certificate = Certificate::fromNative(native);
    refusal.subject = nameOf(certificate.getSubject());
    refusal.issuer = nameOf(certificate.getIssuer());
    refusal.notBefore = textOf(X509_get0_notBefore(native));
    refusal.notAfter = textOf(X509_get0_notAfter(native));
    refusal.names = certificate.subjectAltNames();
}

void note(Refusal& refusal, X509_STORE_CTX* verification) {
    refusal.verifyError = X509_STORE_CTX_get_error(verification);
    refusal.depth = X509_STORE_CTX_get_error_depth(verification);
    X509* native = X509_STORE_CTX_get_current_cert(verification);
    if (native != nullptr) note(refusal, native);
}

/// Whether one of @p certificates has a key that @p checks pin. If not, @p refusal is told what was seen.
bool isPinned(const std::vector<X509*>& certificates, const PeerChecks& checks, Refusal& refusal) {
    std::vector<std::string> seen;
    for (const X509* certificate : certificates) {
        seen.push_back(publicKeyPin(certificate));
        if (std::find(checks.pins.begin(), checks.pins.end(), seen.back()) != checks.pins.end()) return true;
    }
    refusal.pinsSeen = std::move(seen);
    refusal.pinsWanted = checks.pins;
    return false;
}

/// OpenSSL's callback for the whole verification of the peer's certificate, inside the handshake.
int verifyPeer(X509_STORE_CTX* verification, void* argument) noexcept {
    const auto& checks = *static_cast<const PeerChecks*>(argument);
    if (checks.verifyChain) {
        if (checks.nativeLists != nullptr) X509_STORE_CTX_set0_crls(verification, checks.nativeLists);
        const int accepted = X509_verify_cert(verification);
        if (accepted <= 0) return accepted;
    }
    if (checks.pins.empty()) return 1;
    try {
        // Without verification the peer may send along what it likes: its own key is all that it has proven.
        std::vector<X509*> certificates{X509_STORE_CTX_get0_cert(verification)};
        if (checks.verifyChain) {
            const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification);
            for (int i = 1; i < sk_X509_num(chain); ++i) certificates.push_back(sk_X509_value(chain, i));
        }
        Refusal refusal;
        if (isPinned(certificates, checks, refusal)) return 1;
        note(refusal, certificates.front());
        Refusal::of(connectionOf(verification)) = std::move(refusal);
    } catch (...) {
        // Nothing may be thrown through OpenSSL (TLS-19); what could not be checked is refused.
    }
    X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/// In words why the staple is not good enough, or that there is none; empty if all is well.
std::string objectionToStaple(SSL* connection, const PeerChecks& checks) {
    const STACK_OF(X509)* chain = SSL_get0_verified_chain(connection);
    if (chain == nullptr || sk_X509_num(chain) == 0) return "the certificate was not verified";
    X509* certificate = sk_X509_value(chain, 0);
    X509* issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);
    note(Refusal::of(connection), certificate);

    const unsigned char* der = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(connection, &der);
    if (der == nullptr || size <= 0) {
        const std::string missing = "the server stapled no OCSP response, and ";
        if (mustStaple(certificate)) return missing + "its certificate demands one (must-staple, RFC 7633)";
        return checks.ocsp == OCSPPolicy::required ? missing + "we require one: the server must be set up to staple"
                                                   : std::string();
    }
    std::string problem;
    try {
        const OCSPResponse response(BytesView(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)));
        const OCSPStatus status = response.statusOf(certificate, issuer);
        response.verify(issuer);
        problem = status.objection(OCSPStatus::Clock::now(), checks.ocspSkew);
    } catch (const Error& error) {
        problem = error.what();
    }
    return problem.empty() ? problem : "the stapled OCSP response " + problem;
}

/// OpenSSL's callback of a client that has asked for a staple, when the server's first flight is there.
int checkStaple(SSL* connection, void* argument) noexcept {
    if (SSL_session_reused(connection) == 1) return 1;  // there is no certificate, so there is no staple
    bool accepted = false;
    try {
        std::string problem = objectionToStaple(connection, *static_cast<const PeerChecks*>(argument));
        accepted = problem.empty();
        Refusal::of(connection).stapleProblem = std::move(problem);
    } catch (...) {
        accepted = false;  // TLS-19, as above
    }
    if (accepted && ERR_peek_error() != 0) ERR_clear_error();
    return accepted ? 1 : 0;
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

const Refusal* Refusal::find(const SSL* connection) noexcept {
    const ConnectionState* state = ConnectionState::find(connection);
    return state != nullptr ? state->refusal.get() : nullptr;
}

Refusal& Refusal::of(SSL* connection) {
    ConnectionState& state = ConnectionState::of(connection);
    if (!state.refusal) state.refusal = std::make_unique<Refusal>();
    return *state.refusal;
}

void PeerChecks::install(SSL_CTX* context, std::unique_ptr<PeerChecks> checks) {
    if (!checks->lists.empty()) {
        checks->nativeLists = sk_X509_CRL_new_null();
        for (const RevocationList& list : checks->lists) {
            if (checks->nativeLists == nullptr || sk_X509_CRL_push(checks->nativeLists, list.native()) <= 0) {
                throw std::bad_alloc();
            }
        }
    }
    PeerChecks* const raw = checks.get();
    if (SSL_CTX_set_ex_data(context, checksIndex(), raw) != 1) throw std::bad_alloc();
    static_cast<void>(checks.release());
    SSL_CTX_set_cert_verify_callback(context, verifyPeer, raw);
    if (raw->ocsp == OCSPPolicy::off) return;
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(context, checkStaple);
    SSL_CTX_set_tlsext_status_arg(context, raw);
}

int noteVerification(int accepted, X509_STORE_CTX* verification) noexcept {
    if (accepted == 1) return 1;
    // Nothing may be thrown through OpenSSL (TLS-19). If the note fails, only the error's text is poorer.
    try {
        SSL* const connection = connectionOf(verification);
        if (connection != nullptr) note(Refusal::of(connection), verification);
    } catch (...) {
        return 0;
    }
    return 0;
}

}  // namespace torsion::ssl
