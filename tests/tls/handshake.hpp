#pragma once

#include <array>
#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/session.hpp>

namespace torsion::ssl::test {

/// Two sessions joined by memory, as far as they got with their handshake.
struct Handshake {
    std::unique_ptr<Session> client;
    std::unique_ptr<Session> server;
    std::optional<Failure> clientFailure;
    std::optional<Failure> serverFailure;
    bool clientDone = false;
    bool serverDone = false;

    bool ok() const { return clientDone && serverDone && !clientFailure && !serverFailure; }
    std::string clientText() const { return clientFailure ? clientFailure->getErrorMessage() : ""; }
    std::string serverText() const { return serverFailure ? serverFailure->getErrorMessage() : ""; }
};

/// Goes on with one side's handshake, then looks for alerts. @return whether something moved
inline bool advance(Session& session, bool& done, std::optional<Failure>& failure) {
    if (failure) return false;
    SSL* native = session.native();
    std::array<char, 256> octets{};
    const bool handshaking = !done;
    const int result = callOpenSSL([&] {
        return handshaking ? SSL_do_handshake(native)
                           : SSL_read(native, octets.data(), static_cast<int>(octets.size()));
    });
    if (result > 0) {
        done = true;
        return true;
    }
    const int error = SSL_get_error(native, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
    failure = failureFromQueue(native);
    return true;
}

/// Lets the two sessions in @p both shake hands.
inline void finish(Handshake& both) {
    BIO* clientSide = nullptr;
    BIO* serverSide = nullptr;
    constexpr std::size_t kRoom = 1U << 20;
    if (BIO_new_bio_pair(&clientSide, kRoom, &serverSide, kRoom) != 1) throw std::bad_alloc();
    SSL_set_bio(both.client->native(), clientSide, clientSide);
    SSL_set_bio(both.server->native(), serverSide, serverSide);
    constexpr int kMostRounds = 100;
    int idle = 0;
    for (int round = 0; idle < 2 && round < kMostRounds; ++round) {
        const bool clientMoved = advance(*both.client, both.clientDone, both.clientFailure);
        const bool serverMoved = advance(*both.server, both.serverDone, both.serverFailure);
        idle = clientMoved || serverMoved ? 0 : idle + 1;
    }
}

/// Lets the two recipes shake hands, and tells what became of it.
inline Handshake shake(const ContextFactory& clientOptions, const ContextFactory& serverOptions,
                       const SessionOptions& forClient = {}, const SessionOptions& forServer = {}) {
    Handshake result;
    result.client = clientOptions.newSession(Role::client, forClient);
    result.server = serverOptions.newSession(Role::server, forServer);
    finish(result);
    return result;
}

/// Feeds one side's handshake with @p octets, and tells how it failed.
inline std::optional<Failure> feed(const ContextFactory& options, Role role, std::string_view octets) {
    const std::unique_ptr<Session> session = options.newSession(role, {});
    BIO* input = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(input, -1);
    SSL_set_bio(session->native(), input, BIO_new(BIO_s_mem()));
    BIO_write(input, octets.data(), static_cast<int>(octets.size()));
    bool done = false;
    std::optional<Failure> failure;
    advance(*session, done, failure);
    return failure;
}

}  // namespace torsion::ssl::test
