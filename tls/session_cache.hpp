#pragma once

// Private to the tls folder.

#include <cstddef>
#include <ctime>
#include <deque>
#include <functional>
#include <mutex>

#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

using SessionPointer = std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>>;

/// The sessions that a client's recipe may resume, newest first. Any thread may call it.
///
/// It belongs to one recipe, and so a session never comes to another host name, trust root or client certificate than
/// those that it was verified for.
class SessionCache {
public:
    /// Seconds since 1970, as sessions count them.
    using Clock = std::function<std::time_t()>;

    explicit SessionCache(std::size_t size) : SessionCache(size, [] { return std::time(nullptr); }) {}
    SessionCache(std::size_t size, Clock clock) : size_(size), clock_(std::move(clock)) {}

    /// Puts a session in front; the oldest goes if there are too many. One that is there already stays where it is.
    void keep(SessionPointer session);

    /// The newest session that has not expired; null if there is none. One of TLS 1.3 is given once: by a ticket that
    /// comes again, somebody who listens could tell that it is the same client (RFC 8446, C.4).
    SessionPointer take();

    std::size_t size() const;

private:
    bool usable(const SSL_SESSION* session) const;

    mutable std::mutex mutex_;
    std::deque<SessionPointer> sessions_;
    const std::size_t size_;
    const Clock clock_;
};

}  // namespace torsion::ssl
