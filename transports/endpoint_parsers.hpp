#pragma once

#include <memory>
#include <string>

#include <torsion/transports/endpoint_registry.hpp>

/// Those who know the types of endpoint strings. Not for users.
namespace torsion::endpoints::detail {

/// @p text with its ASCII letters small.
std::string lowerCase(std::string text);

/// The parser of the type that a description begins with. @throws ValueError for an unknown one, with all that there
/// are
ServerParser serverParser(const Description& description);
ClientParser clientParser(const Description& description);

/// A parser gave null. @throws TypeError
[[noreturn]] void throwNoEndpoint(const Description& description);

// The types that are built in: endpoint_strings.cpp.
std::shared_ptr<StreamServerEndpoint> tcpServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamServerEndpoint> tcp6Server(Reactor& reactor, const Description& description);
std::shared_ptr<StreamServerEndpoint> sslServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamServerEndpoint> tlsServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamServerEndpoint> txsniServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamClientEndpoint> tcpClient(Reactor& reactor, const Description& description);
std::shared_ptr<StreamClientEndpoint> sslClient(Reactor& reactor, const Description& description);
std::shared_ptr<StreamClientEndpoint> tlsClient(Reactor& reactor, const Description& description);

// unix_endpoint_strings.cpp
std::shared_ptr<StreamServerEndpoint> unixServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamClientEndpoint> unixClient(Reactor& reactor, const Description& description);

// file_descriptor_endpoint_strings.cpp
std::shared_ptr<StreamServerEndpoint> fdServer(Reactor& reactor, const Description& description);
std::shared_ptr<StreamServerEndpoint> systemdServer(Reactor& reactor, const Description& description);

}  // namespace torsion::endpoints::detail
