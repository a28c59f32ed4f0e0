#include <torsion/tls/acceptable_ciphers.hpp>

#include <new>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

constexpr const char* kDefaultSuites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
constexpr const char* kDefaultList =
    "ECDH+AESGCM:ECDH+CHACHA20:DH+AESGCM:DH+CHACHA20:ECDH+AES256:DH+AES256:ECDH+AES128:DH+AES:RSA+AESGCM:RSA+AES:"
    "!aNULL:!MD5:!DSS";

void append(std::string& list, std::string_view item) {
    if (!list.empty()) list += ':';
    list += item;
}

}  // namespace

AcceptableCiphers::AcceptableCiphers() : cipherList_(kDefaultList), cipherSuites_(kDefaultSuites) {}

AcceptableCiphers AcceptableCiphers::fromOpenSSLCipherString(std::string_view ciphers) {
    AcceptableCiphers result;
    result.cipherList_.clear();
    result.cipherSuites_.clear();
    static constexpr std::string_view kSeparators = ":, ;";  // all that OpenSSL knows
    while (!ciphers.empty()) {
        const std::size_t end = ciphers.find_first_of(kSeparators);
        const std::string_view item = ciphers.substr(0, end);
        if (!item.empty()) append(item.starts_with("TLS_") ? result.cipherSuites_ : result.cipherList_, item);
        ciphers.remove_prefix(end == std::string_view::npos ? ciphers.size() : end + 1);
    }
    return result;
}

std::vector<std::string> AcceptableCiphers::names() const {
    const ContextPointer context(SSL_CTX_new(TLS_method()));
    if (!context) throw std::bad_alloc();
    std::vector<std::string> result;
    const bool older = !cipherList_.empty() && SSL_CTX_set_cipher_list(context.get(), cipherList_.c_str()) == 1;
    const bool suites =
        cipherSuites_.empty() ? older : SSL_CTX_set_ciphersuites(context.get(), cipherSuites_.c_str()) == 1;
    ERR_clear_error();
    const STACK_OF(SSL_CIPHER)* all = SSL_CTX_get_ciphers(context.get());
    for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
        const std::string name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i));
        if (name.starts_with("TLS_") ? suites : older) result.push_back(name);
    }
    return result;
}

}  // namespace torsion::ssl
