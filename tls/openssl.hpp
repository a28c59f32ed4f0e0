#pragma once

// Private to the tls folder, and not installed: what the sources share of OpenSSL's C interface.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace torsion::ssl {

/// A deleter that calls one of OpenSSL's functions.
template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using BIOPointer = std::unique_ptr<BIO, Freer<BIO_free>>;
using BignumPointer = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using CertificatePointer = std::unique_ptr<X509, Freer<X509_free>>;
using GeneralNamesPointer = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using ContextPointer = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using ConnectionPointer = std::unique_ptr<SSL, Freer<SSL_free>>;

/// Every call whose failure is read from OpenSSL's error queue goes through here. The queue belongs to the thread: what
/// an earlier call left there would be taken for this one's error. It is looked at before it is cleared, since clearing
/// an empty queue on every read costs more than 10 % of a connection's throughput.
template <class Call>
decltype(auto) callOpenSSL(Call&& call) {
    if (ERR_peek_error() != 0) ERR_clear_error();
    return std::forward<Call>(call)();
}

/// A BIO that reads @p data, which must outlive it. @throws ssl::Error if there is too much of it
BIOPointer readingBIO(std::string_view data);

/// A BIO that collects what is written to it.
BIOPointer collectingBIO();

/// What was written to a collecting BIO.
std::string contents(BIO* bio);

/// The text with what a terminal or a log might stumble over replaced by '?': names in certificates are the peer's
/// choice.
std::string printable(std::string_view text);

}  // namespace torsion::ssl
