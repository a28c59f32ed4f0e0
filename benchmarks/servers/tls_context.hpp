#pragma once

/// The TLS settings that all the peers' servers share, so that they do the same cryptography.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

/// Says what OpenSSL objects to, and ends the program.
[[noreturn]] inline void failTls(std::string const& what) {
    std::fprintf(stderr, "%s:\n", what.c_str());
    ERR_print_errors_fp(stderr);
    std::exit(1);
}

/// A server's context: TLS 1.3 with AES-128-GCM, session tickets that the server keeps nothing for, no client
/// certificate.
/// @param certificate path of a PEM file with a key and its certificate
/// @returns a context that the caller owns
inline SSL_CTX* makeServerContext(std::string const& certificate) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr) failTls("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
                                     SSL_OP_SINGLE_ECDH_USE | SSL_OP_NO_RENEGOTIATION);  // as torsion, like Twisted
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);  // all that a client of the load uses
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, certificate.c_str(), SSL_FILETYPE_PEM) != 1) {
        failTls("the key and certificate in " + certificate + " cannot be used");
    }
    return context;
}
