#pragma once

#include <functional>
#include <memory>
#include <string>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/endpoint_description.hpp>

/// Prefixes of your own for endpoint strings (Twisted finds plugins: IStreamServerEndpointStringParser and
/// IStreamClientEndpointStringParserWithReactor).
///
///     endpoints::registerClientPrefix("tunnel", [](Reactor& reactor, const endpoints::Description& description) {
///         const endpoints::Arguments arguments(description, {"host", "port"}, {"timeout"});
///         return std::make_shared<TunnelEndpoint>(reactor, arguments.required("host"), arguments.port(),
///                                                 arguments.timeout());
///     });
///     auto endpoint = endpoints::clientFromString(reactor, "tunnel:example.com:22");
///
/// There is one registry in the process, and what is in it stays. Any thread may register and use it at any time; a
/// parser runs on the thread that called serverFromString or clientFromString, perhaps on several at once.
namespace torsion::endpoints {

/// Makes an endpoint of a description that begins with its prefix. What it throws goes to the caller of
/// serverFromString or clientFromString; null is a TypeError.
using ServerParser = std::function<std::shared_ptr<StreamServerEndpoint>(Reactor&, const Description&)>;
using ClientParser = std::function<std::shared_ptr<StreamClientEndpoint>(Reactor&, const Description&)>;

/// From now on serverFromString gives descriptions of this type to @p parser. @param prefix in any case of letters, as
/// in descriptions
/// @throws ValueError if the prefix is built in or registered already, is empty, or has one of `:=\` in it
void registerServerPrefix(const std::string& prefix, ServerParser parser);

/// The same for clientFromString.
void registerClientPrefix(const std::string& prefix, ClientParser parser);

}  // namespace torsion::endpoints
