#include <torsion/tls/context.hpp>

#include <algorithm>
#include <new>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/alpn.hpp>
#include <torsion/tls/context_state.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/ocsp_response.hpp>
#include <torsion/tls/ocsp_stapling.hpp>
#include <torsion/tls/server_name.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

constexpr TLSVersion kDefaultMinimum = TLSVersion::TLSv1_2;
constexpr TLSVersion kNewest = TLSVersion::TLSv1_3;

int nativeVersion(TLSVersion version) noexcept {
    switch (version) {
        case TLSVersion::SSLv3: return SSL3_VERSION;
        case TLSVersion::TLSv1_0: return TLS1_VERSION;
        case TLSVersion::TLSv1_1: return TLS1_1_VERSION;
        case TLSVersion::TLSv1_2: return TLS1_2_VERSION;
        case TLSVersion::TLSv1_3: return TLS1_3_VERSION;
    }
    return 0;
}

/// Whether this OpenSSL was built with the version. It accepts bounds that it then silently moves.
bool isBuiltIn(TLSVersion version) noexcept {
    switch (version) {
#ifdef OPENSSL_NO_SSL3
        case TLSVersion::SSLv3: return false;
#endif
#ifdef OPENSSL_NO_TLS1
        case TLSVersion::TLSv1_0: return false;
#endif
#ifdef OPENSSL_NO_TLS1_1
        case TLSVersion::TLSv1_1: return false;
#endif
#ifdef OPENSSL_NO_TLS1_2
        case TLSVersion::TLSv1_2: return false;
#endif
#ifdef OPENSSL_NO_TLS1_3
        case TLSVersion::TLSv1_3: return false;
#endif
        default: return true;
    }
}

void exclude(bool first, bool second, const char* firstName, const char* secondName) {
    if (first && second) {
        throw TypeError(std::string("The '") + firstName + "' and '" + secondName +
                        "' arguments to CertificateOptions are mutually exclusive.");
    }
}

/// Tells clients the names of the authorities that we accept: one with several certificates picks by them.
void acceptAuthorities(SSL_CTX* context, const TrustRoot& root) {
    const auto& authorities = root.authorities();
    for (std::size_t i = 0; i < authorities.size(); ++i) {
        const auto sameName = [&](const Certificate& other) {
            return other.getSubject() == authorities[i].getSubject();
        };
        const auto here = authorities.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::any_of(authorities.begin(), here, sameName)) continue;  // a renewed one beside the old one
        if (SSL_CTX_add_client_CA(context, authorities[i].native()) != 1) throw std::bad_alloc();
    }
}

}  // namespace

Context::Context(const Parameters& parameters, Role role, const Identity* identity)
    : role_(role), protocols_(protocolsOnTheWire(parameters.acceptableProtocols_)) {
    const bool server = role == Role::server;
    native_.reset(callOpenSSL([&] { return SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()); }));
    if (!native_) throwFromQueue("OpenSSL makes no context");
    setVersions(parameters);
    setCiphers(parameters);  // before the certificate: a cipher string may set the security level that it must reach
    setFixedOptions(parameters);
    setOwnCertificate(parameters);
    setVerification(parameters, identity);
    setStaple(parameters);
    setSessions(parameters);
    checkUsable();
}

void Context::setVersions(const Parameters& parameters) {
    exclude(parameters.raiseMinimumTo_.has_value(), parameters.insecurelyLowerMinimumTo_.has_value(), "raiseMinimumTo",
            "insecurelyLowerMinimumTo");
    maximum_ = parameters.lowerMaximumSecurityTo_.value_or(kNewest);
    if (parameters.insecurelyLowerMinimumTo_) {
        minimum_ = *parameters.insecurelyLowerMinimumTo_;
        if (minimum_ > maximum_) throw ValueError("insecurelyLowerMinimumTo must not be above lowerMaximumSecurityTo");
    } else {
        if (parameters.raiseMinimumTo_ && *parameters.raiseMinimumTo_ > maximum_) {
            throw ValueError("raiseMinimumTo must not be above lowerMaximumSecurityTo");
        }
        minimum_ = std::min(std::max(kDefaultMinimum, parameters.raiseMinimumTo_.value_or(kDefaultMinimum)), maximum_);
    }
    setBounds();
    // The signatures of these versions are made with SHA-1 and MD5, which the default level forbids.
    if (minimum_ < TLSVersion::TLSv1_2) SSL_CTX_set_security_level(native_.get(), 0);
}

void Context::setBounds() {
    for (const TLSVersion bound : {minimum_, maximum_}) {
        if (!isBuiltIn(bound)) throw ValueError(std::string("This OpenSSL was built without ") + versionName(bound));
    }
    const bool set = callOpenSSL([&] {
        return SSL_CTX_set_min_proto_version(native_.get(), nativeVersion(minimum_)) == 1 &&
               SSL_CTX_set_max_proto_version(native_.get(), nativeVersion(maximum_)) == 1;
    });
    if (!set || SSL_CTX_get_min_proto_version(native_.get()) != nativeVersion(minimum_) ||
        SSL_CTX_get_max_proto_version(native_.get()) != nativeVersion(maximum_)) {
        throw ValueError(std::string("This OpenSSL does not speak ") + versionName(minimum_) + " to " +
                         versionName(maximum_));
    }
}

void Context::setCiphers(const Parameters& parameters) {
    const AcceptableCiphers ciphers = parameters.acceptableCiphers_.value_or(AcceptableCiphers());
    bool older = !ciphers.cipherList().empty();
    if (older) older = SSL_CTX_set_cipher_list(native_.get(), ciphers.cipherList().c_str()) == 1;
    bool newer = ciphers.cipherSuites().empty() ? older : false;
    if (!ciphers.cipherSuites().empty() &&
        SSL_CTX_set_ciphersuites(native_.get(), ciphers.cipherSuites().c_str()) == 1) {
        const STACK_OF(SSL_CIPHER)* all = SSL_CTX_get_ciphers(native_.get());
        for (int i = 0; i < sk_SSL_CIPHER_num(all) && !newer; ++i) {
            newer = std::string_view(SSL_CIPHER_get_version(sk_SSL_CIPHER_value(all, i))) == "TLSv1.3";
        }
    }
    ERR_clear_error();
    // A version for which no cipher is left must not be offered: the handshake would fail after it was chosen.
    if (!older) minimum_ = std::max(minimum_, TLSVersion::TLSv1_3);
    if (!newer) maximum_ = std::min(maximum_, TLSVersion::TLSv1_2);
    if (minimum_ > maximum_) throw ValueError("Supplied AcceptableCiphers yielded no usable ciphers on this platform.");
    setBounds();
}

void Context::setFixedOptions(const Parameters& parameters) {
    SSL_CTX* context = native_.get();
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
                                     SSL_OP_SINGLE_ECDH_USE | SSL_OP_NO_RENEGOTIATION);
    // A configuration file might set it, and then a connection that was cut short would look complete.
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 0);
    if (role_ == Role::server) {
        SSL_CTX_set_alpn_select_cb(context, selectProtocol, nullptr);
        SSL_CTX_set_client_hello_cb(context, chooseByServerName, nullptr);
    }

    if (!parameters.dhParameters_) return;
    EVP_PKEY* group = parameters.dhParameters_->native();
    EVP_PKEY_up_ref(group);  // the context takes over one share
    if (callOpenSSL([&] { return SSL_CTX_set0_tmp_dh_pkey(context, group); }) != 1) {
        EVP_PKEY_free(group);
        throwFromQueue("The Diffie-Hellman parameters are not usable");
    }
}

void Context::setOwnCertificate(const Parameters& parameters) {
    const bool key = parameters.privateKey_.has_value();
    if (key != parameters.certificate_.has_value()) {
        throw ValueError("Specify neither or both of privateKey and certificate");
    }
    if (parameters.extraCertChain_ && !key) {
        throw ValueError("A private key and a certificate are required when adding a supplemental certificate chain.");
    }
    if (!key) return;
    // This finds a mismatch before OpenSSL does, whose text is worse.
    const auto own = PrivateCertificate::fromCertificateAndKeyPair(*parameters.certificate_, *parameters.privateKey_);
    const std::string name = own.Certificate::str();  // made first: to name the key empties OpenSSL's queue
    SSL_CTX* context = native_.get();
    if (callOpenSSL([&] { return SSL_CTX_use_certificate(context, own.native()); }) != 1) {
        throwFromQueue("The certificate " + name + " is not usable");
    }
    if (callOpenSSL([&] { return SSL_CTX_use_PrivateKey(context, own.privateKey().native()); }) != 1) {
        throwFromQueue("The private key of " + name + " is not usable");
    }
    if (!parameters.extraCertChain_) return;
    for (const Certificate& certificate : *parameters.extraCertChain_) {
        if (callOpenSSL([&] { return SSL_CTX_add1_chain_cert(context, certificate.native()); }) != 1) {
            throwFromQueue("The chain certificate " + certificate.str() + " is not usable");
        }
    }
}

void Context::setVerification(const Parameters& parameters, const Identity* identity) {
    exclude(parameters.trustRoot_.has_value(), parameters.requireCertificate_.has_value(), "trustRoot",
            "requireCertificate");
    exclude(parameters.trustRoot_.has_value(), parameters.verify_.has_value(), "trustRoot", "verify");
    exclude(parameters.trustRoot_.has_value(), parameters.caCerts_.has_value(), "trustRoot", "caCerts");
    const bool verify = parameters.verify_.value_or(false);
    if (verify && (!parameters.caCerts_ || parameters.caCerts_->empty())) {
        throw ValueError("Specify client CA certificate information if and only if enabling certificate verification");
    }
    SSL_CTX* context = native_.get();
    SSL_CTX_set_verify_depth(context, parameters.verifyDepth_);
    std::optional<TrustRoot> root = parameters.trustRoot_;
    if (verify) root = TrustRoot(*parameters.caCerts_);
    setPeerChecks(parameters, root.has_value());
    if (!root) {
        // For each handshake OpenSSL would look for the rest of our chain among those that we trust: there are none.
        // Its configuration file may name others.
        X509_STORE* others = nullptr;
        SSL_CTX_get0_chain_cert_store(context, &others);
        if (others == nullptr) SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
        SSL_CTX_set_verify(context, parameters.pins_.empty() ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
        return;
    }
    SSL_CTX_set1_cert_store(context, root->native());
    int mode = SSL_VERIFY_PEER;
    if (role_ == Role::server) {
        mode |= SSL_VERIFY_CLIENT_ONCE;
        if (parameters.requireCertificate_.value_or(true)) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        acceptAuthorities(context, *root);
    }
    SSL_CTX_set_verify(context, mode, noteVerification);
    if (identity != nullptr) identity->require(SSL_CTX_get0_param(context));
}

void Context::setPeerChecks(const Parameters& parameters, bool verifyChain) {
    const bool asksForStaple = parameters.ocspPolicy_ != OCSPPolicy::off;
    if (role_ == Role::server) {
        if (asksForStaple) throw TypeError("requestOCSP is for clients: what a server staples is ocspStaple");
        if (!parameters.pins_.empty()) throw TypeError("pinnedPublicKeys are for clients, which know their server");
    }
    if (!verifyChain) {
        // Their word would be taken from whoever the peer says has signed its certificate.
        if (asksForStaple) throw TypeError("requestOCSP needs a certificate that is verified");
        if (parameters.revocationLists_) throw TypeError("revocationLists need a certificate that is verified");
    }
    auto checks = std::make_unique<PeerChecks>();
    checks->verifyChain = verifyChain;
    checks->pins = parameters.pins_;
    checks->ocsp = parameters.ocspPolicy_;
    checks->ocspSkew = parameters.ocspSkew_;
    if (parameters.revocationLists_) {
        checks->lists = *parameters.revocationLists_;
        unsigned long flags = X509_V_FLAG_CRL_CHECK;
        if (parameters.revocationScope_ == RevocationScope::wholeChain) flags |= X509_V_FLAG_CRL_CHECK_ALL;
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native_.get()), flags);
    }
    PeerChecks::install(native_.get(), std::move(checks));
}

void Context::setStaple(const Parameters& parameters) {
    const bool given = parameters.ocspStaple_ || parameters.ocspResponse_;
    if (given && role_ == Role::client) throw TypeError("A client staples nothing: ocspStaple is for servers");
    exclude(parameters.ocspStaple_.has_value(), parameters.ocspResponse_.has_value(), "ocspStaple", "ocspResponse");
    if (given && !parameters.certificate_) throw ValueError("A certificate is required when stapling an OCSP response");
    if (!given) {
        if (role_ == Role::server && parameters.certificate_ && mustStaple(parameters.certificate_->native())) {
            log::warn("the certificate " + parameters.certificate_->str() +
                          " demands a stapled OCSP response, and there is none: clients will refuse it",
                      "ssl");
        }
        return;
    }
    if (parameters.ocspStaple_ && !(parameters.ocspStaple_->certificate() == *parameters.certificate_)) {
        throw ValueError("The ocspStaple is one for " + parameters.ocspStaple_->certificate().str() + ", and not for " +
                         parameters.certificate_->str());
    }
    OCSPStaple staple = parameters.ocspStaple_ ? *parameters.ocspStaple_
                                               : OCSPStaple(PrivateCertificate::fromCertificateAndKeyPair(
                                                     *parameters.certificate_, *parameters.privateKey_,
                                                     parameters.extraCertChain_.value_or(std::vector<Certificate>())));
    if (parameters.ocspResponse_) staple.set(*parameters.ocspResponse_);
    stapleWith(native_.get(), staple);
}

void Context::checkUsable() const {
    // Whether a cipher of the list goes with the versions and the security level is known to connections only.
    const ConnectionPointer probe(SSL_new(native_.get()));
    if (!probe) throwFromQueue("OpenSSL makes no connection");
    const std::unique_ptr<STACK_OF(SSL_CIPHER), void (*)(STACK_OF(SSL_CIPHER)*)> usable(
        SSL_get1_supported_ciphers(probe.get()), [](STACK_OF(SSL_CIPHER) * list) { sk_SSL_CIPHER_free(list); });
    if (!usable || sk_SSL_CIPHER_num(usable.get()) == 0) {
        throw ValueError("Supplied AcceptableCiphers yielded no usable ciphers on this platform.");
    }
}

std::unique_ptr<Session> Context::newSession(const SessionOptions& options, const std::string& serverName) const {
    const std::string protocols =
        options.acceptableProtocols.empty() ? protocols_ : protocolsOnTheWire(options.acceptableProtocols);
    SSL* native = callOpenSSL([&] { return SSL_new(native_.get()); });
    if (native == nullptr) throwFromQueue("OpenSSL makes no connection");
    auto session = std::make_unique<Session>(native, role_);
    if (role_ == Role::server) {
        SSL_set_accept_state(native);
        if (!protocols.empty()) ConnectionState::of(native).protocols = protocols;
        return session;
    }
    SSL_set_connect_state(native);
    resumeSession(native);
    if (!serverName.empty() && SSL_set_tlsext_host_name(native, serverName.c_str()) != 1) {
        throwFromQueue("The server name '" + serverName + "' cannot be sent");
    }
    // Unlike nearly all of OpenSSL, this returns 0 for success.
    if (!protocols.empty() && SSL_set_alpn_protos(native, reinterpret_cast<const unsigned char*>(protocols.data()),
                                                  static_cast<unsigned>(protocols.size())) != 0) {
        throw std::bad_alloc();
    }
    return session;
}

}  // namespace torsion::ssl
