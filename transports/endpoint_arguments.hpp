#pragma once

#include <memory>
#include <string>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

/// What endpoints have in common. Not for users.
namespace torsion::endpoints::detail {

/// Checks what every client endpoint is given. @throws ValueError
void checkClientArguments(const std::string& host, int port, Duration timeout);

/// @throws ValueError unless it is positive
void checkTimeout(Duration timeout);

/// Runs @p listen, a call that returns a port, after checking what every server endpoint is given; exceptions come
/// through the Deferred (EP-4).
template <class Listen>
Deferred<std::shared_ptr<ListeningPort>> listening(int port, int backlog, const std::shared_ptr<Factory>& factory,
                                                   Listen listen);

/// @throws ValueError, TypeError
void checkServerArguments(int port, int backlog, const std::shared_ptr<Factory>& factory);

/// The address @p host and @p port as they are given, looked up or not.
Address destination(const std::string& host, int port);

/// The literal of @p address, with the scope of a link-local one.
std::string literal(const Address& address);

/// "host:port" for texts, with brackets round an IPv6 literal.
std::string hostAndPort(const std::string& host, int port);

template <class Listen>
Deferred<std::shared_ptr<ListeningPort>> listening(int port, int backlog, const std::shared_ptr<Factory>& factory,
                                                   Listen listen) {
    try {
        checkServerArguments(port, backlog, factory);
        return defer::succeed(std::shared_ptr<ListeningPort>(listen()));
    } catch (...) {
        return defer::fail<std::shared_ptr<ListeningPort>>();
    }
}

}  // namespace torsion::endpoints::detail
