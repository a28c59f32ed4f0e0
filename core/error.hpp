#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

/// The error tree of twisted.internet.error, as exception classes with Twisted's names and hierarchy.
/// All have value semantics and never throw on copying.
namespace torsion {

/// The root of every error that torsion itself makes.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Python's ValueError: an argument has the right type and a value that makes no sense.
class ValueError : public Error {
public:
    using Error::Error;
};

/// Python's TypeError: arguments that are missing, too many, or exclude each other.
class TypeError : public Error {
public:
    using Error::Error;
};

/// Python's RuntimeError: a call that makes no sense in the present state.
class RuntimeError : public Error {
public:
    using Error::Error;
};

namespace detail {
/// "base" or, with a detail, "base: detail." in the manner of Twisted's error strings.
std::string describe(const char* base, const std::string& detail);
/// "operation: text of errno"
std::string describe(const std::string& operation, int error);
}  // namespace detail

/// Defines an error class with a fixed first sentence, to which a detail may be added.
#define TORSION_ERROR(NAME, BASE, TEXT)                                                                        \
    class NAME : public BASE {                                                                                 \
    public:                                                                                                    \
        static constexpr const char* kText = TEXT;                                                             \
        NAME() : BASE(std::string(kText) + '.', detail::Exactly{}) {}                                          \
        explicit NAME(const std::string& detail) : BASE(detail::describe(kText, detail), detail::Exactly{}) {} \
        NAME(const std::string& text, detail::Exactly exactly) : BASE(text, exactly) {}                        \
    }

namespace detail {
/// Says that a string is the whole message, not an addition to it.
struct Exactly {};
class ExactError : public Error {
public:
    ExactError(const std::string& text, Exactly) : Error(text) {}
};
class ExactValueError : public ValueError {
public:
    ExactValueError(const std::string& text, Exactly) : ValueError(text) {}
};
class ExactRuntimeError : public RuntimeError {
public:
    ExactRuntimeError(const std::string& text, Exactly) : RuntimeError(text) {}
};
}  // namespace detail

// The ends of a connection. check<ConnectionClosed>() catches all four, and no TLS error.
TORSION_ERROR(ConnectionClosed, detail::ExactError, "Connection was closed, whether cleanly or non-cleanly");
TORSION_ERROR(ConnectionDone, ConnectionClosed, "Connection was closed cleanly");
TORSION_ERROR(ConnectionLost, ConnectionClosed, "Connection to the other side was lost in a non-clean fashion");
TORSION_ERROR(ConnectionAborted, ConnectionLost, "Connection was aborted locally using abortConnection");

/// EOF came without the close_notify that TLS demands: what was read may be cut short (RFC 8446, 6.1).
TORSION_ERROR(TLSTruncated, ConnectionLost, "TLS connection ended without close_notify, data may be missing");
/// The peer did not answer our close_notify within the close timeout.
TORSION_ERROR(TLSCloseTimeout, ConnectionLost, "Peer did not answer close_notify in time");
/// The handshake did not end within the handshake timeout.
TORSION_ERROR(TLSHandshakeTimeout, ConnectionLost, "TLS handshake did not finish in time");
/// More output waits than the cap allows (deviation D25).
TORSION_ERROR(OutputLimitExceeded, ConnectionLost, "Too much output is waiting for the peer to read it");
/// Octets that came in the clear stood behind a STARTTLS (CVE-2011-0411); see Residue.
TORSION_ERROR(PlaintextAfterStartTLS, ConnectionLost, "Plaintext was received behind the start of TLS");
/// A layer of an onion ended in a way that its protocol does not allow.
TORSION_ERROR(OnionError, ConnectionLost, "TLS layer ended where it must not");

// Failures to connect.
class ConnectError : public Error {
public:
    static constexpr const char* kText = "An error occurred while connecting";
    ConnectError() : ConnectError(0, "") {}
    /// @param osError errno, or 0 if the system was not asked
    explicit ConnectError(int osError, const std::string& detail = "");
    ConnectError(const std::string& text, detail::Exactly) : Error(text) {}
    int osError() const noexcept { return osError_; }

private:
    int osError_ = 0;
};

#define TORSION_CONNECT_ERROR(NAME, BASE, TEXT)                                                                \
    class NAME : public BASE {                                                                                 \
    public:                                                                                                    \
        static constexpr const char* kText = TEXT;                                                             \
        NAME() : BASE(std::string(kText) + '.', detail::Exactly{}) {}                                          \
        explicit NAME(const std::string& detail) : BASE(detail::describe(kText, detail), detail::Exactly{}) {} \
        NAME(const std::string& text, detail::Exactly exactly) : BASE(text, exactly) {}                        \
    }

TORSION_CONNECT_ERROR(ConnectBindError, ConnectError, "Couldn't bind");
TORSION_CONNECT_ERROR(UnknownHostError, ConnectError, "Hostname couldn't be looked up");
TORSION_CONNECT_ERROR(NoRouteError, ConnectError, "No route to host");
TORSION_CONNECT_ERROR(ConnectionRefusedError, ConnectError, "Connection was refused by other side");
TORSION_CONNECT_ERROR(TCPTimedOutError, ConnectError, "TCP connection timed out");
TORSION_CONNECT_ERROR(BadFileError, ConnectError, "File used for UNIX socket is no good");
TORSION_CONNECT_ERROR(ServiceNameUnknownError, ConnectError, "Service name given as port is unknown");
TORSION_CONNECT_ERROR(SSLError, ConnectError, "An SSL error occurred");
TORSION_CONNECT_ERROR(UserError, ConnectError, "User aborted connection");
TORSION_CONNECT_ERROR(TimeoutError, UserError, "User timeout caused connection failure");

// Failures to listen.
TORSION_ERROR(BindError, detail::ExactError, "An error occurred while binding");
class CannotListenError : public BindError {
public:
    /// @param osError errno
    CannotListenError(const std::string& interface, int port, int osError);
    /// For what has no port, such as a UNIX socket. @param where it, for the text; @param osError errno, or 0 if it was
    /// not the system that refused
    CannotListenError(const std::string& where, const std::string& why, int osError = 0);
    int osError() const noexcept { return osError_; }
    /// 0 for what has none.
    int port() const noexcept { return port_; }

private:
    int osError_;
    int port_;
};

TORSION_ERROR(DNSLookupError, detail::ExactError, "DNS lookup failed");
/// The Deferred of an endpoint's connect was cancelled; the detail is the address.
TORSION_ERROR(ConnectingCancelledError, detail::ExactError, "Connection attempt was cancelled");
/// The factory built no protocol for a connection that an endpoint made.
TORSION_ERROR(NoProtocol, detail::ExactError, "The factory built no protocol");
TORSION_ERROR(MessageLengthError, detail::ExactError, "Message is too long to send");
TORSION_ERROR(InvalidAddressError, detail::ExactError, "Address is invalid");
/// An endpoint on a descriptor that was handed over can be listened on once.
TORSION_ERROR(AlreadyListened, detail::ExactError,
              "An attempt was made to listen on a file descriptor which can only be listened on once");
TORSION_ERROR(UnsupportedAddressFamily, detail::ExactError, "Address family is not supported");
/// No certificate where one was asked for.
TORSION_ERROR(CertificateError, detail::ExactError, "We did not find a certificate where we expected to find one");
/// Key and certificate do not belong together, or a certificate does not verify.
TORSION_ERROR(VerifyError, detail::ExactError, "Could not verify something that was supposed to be signed");
/// A transport was used before makeConnection.
TORSION_ERROR(NotConnected, detail::ExactRuntimeError, "Protocol has no transport before makeConnection");

// Calls in the wrong state.
TORSION_ERROR(AlreadyCalled, detail::ExactValueError, "Tried to cancel an already-called event");
TORSION_ERROR(AlreadyCancelled, detail::ExactValueError, "Tried to cancel an already-cancelled event");
TORSION_ERROR(NotConnectingError, detail::ExactRuntimeError,
              "The Connector was not connecting when it was asked to stop connecting");
TORSION_ERROR(NotListeningError, detail::ExactRuntimeError,
              "The Port was not listening when it was asked to stop listening");
TORSION_ERROR(ReactorNotRunning, detail::ExactRuntimeError, "Error trying to stop a reactor that is not running");
TORSION_ERROR(ReactorAlreadyRunning, detail::ExactRuntimeError,
              "Error trying to run a reactor that is already running");

class Failure;

/// The ConnectError that fits an errno (getConnectError). Its text has @p where, the address, and the system's words.
Failure connectFailure(int osError, const std::string& where);

}  // namespace torsion
