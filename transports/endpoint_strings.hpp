#pragma once

#include <memory>
#include <string>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

/// Endpoints from text, for configuration files and command lines.
///
/// A description is fields divided by colons: a type, then its arguments in order, then arguments by name,
/// `name=value`. A backslash takes away the meaning of the character behind it, so an IPv6 literal is written `\:\:1`;
/// there is no other quoting (ES-1). Every error says which description it is about and what is wrong with it:
/// ValueError for a value or an unknown type, TypeError for arguments missing, unknown, too many or given twice (ES-2),
/// std::system_error and ssl::Error for files. Types of your own are added with endpoint_registry.hpp.
namespace torsion::endpoints {

/// A server endpoint (twisted.internet.endpoints.serverFromString). Files are read here. The types:
///
///     tcp:port:interface=:backlog=50                            interface is a literal address, by default all of IPv4
///     tcp6:port:backlog=50:interface=\:\:
///     unix:address:mode=666:backlog=50:lockfile=1               address is a path, mode is octal
///     ssl:port:privateKey=server.pem:certKey=:sslmethod=:interface=:backlog=50:extraCertChain=:dhParameters=
///     tls:path:port=443:backlog=50:interface=\:\::default=:refuseUnknownNames=no:reload=:endpoint=
///     txsni:path:another description
///     systemd:domain=INET:index=0
///     systemd:domain=INET:name=
///     fd:fileno:domain=INET
///
/// unix keeps a lock file beside the socket unless lockfile=0, as ReactorUNIX::listenUNIX says of wantPID. systemd is a
/// socket that the process was started with (ListenFDs), by its place or its name; fd a socket that listens on that
/// descriptor, which is taken over (AdoptedStreamServerEndpoint). domain is INET, INET6 or UNIX.
///
/// Without certKey the certificate is in the file of privateKey. sslmethod is TLSv1_METHOD, TLSv1_1_METHOD or
/// TLSv1_2_METHOD for that version alone, or TLS_METHOD or SSLv23_METHOD, which are the default: TLS 1.2 and above.
///
/// tls, as in Twisted since 25, serves the certificates of a folder by the names that clients ask for, or those of one
/// file: see ssl::CertificateDirectory, which also explains default and refuseUnknownNames. It listens as the arguments
/// say, or as another description given as endpoint (its colons escaped). With reload it looks every so many seconds
/// whether the files have changed, for as long as the endpoint or one of its ports lives. txsni is the older spelling
/// of tls over another description, whose colons stay as they are.
///
/// ssl and tls take, by name, minimumTLS and maximumTLS (1.2 or 1.3), insecureMinimumTLS (also 1.0 and 1.1), and
/// protocols, names with commas between, best first (ALPN); clients take them, too. With connectionMade=afterHandshake
/// protocols never see a client that fails its handshake.
std::shared_ptr<StreamServerEndpoint> serverFromString(Reactor& reactor, const std::string& description);

/// A client endpoint (twisted.internet.endpoints.clientFromString). Files are read here. The types, in any case of
/// letters:
///
///     tcp:host:port:timeout=30:bindAddress=
///     ssl:host:port:hostname=:caCertsDir=:certKey=:privateKey=:timeout=30:bindAddress=:insecure=
///     tls:host:port:timeout=30:bindAddress=:certificate=:privateKey=:trustRoots=:endpoint=
///     unix:path:timeout=30:lockfile=0                           lockfile=1 wants a live server's lock file
///
/// timeout is in seconds, bindAddress a literal address. ssl verifies that the server is hostname; without one it
/// demands `insecure=yes`, and then verifies nothing (deviation D16: Twisted does so silently). tls connects as
/// HostnameEndpoint does, or as another description given as endpoint (its colons escaped), and verifies that the
/// server is host. caCertsDir and trustRoots name a folder with .pem files (ES-5), or one such file; without one the
/// platform's roots count. privateKey may be left out if certKey or certificate names a file with both.
///
/// Both kinds of TLS take minimumTLS, maximumTLS, insecureMinimumTLS and protocols as servers do. With
/// connectionMade=afterHandshake the Deferred fires when the server is verified, and fails if it cannot be: see
/// wrapClientTLS.
std::shared_ptr<StreamClientEndpoint> clientFromString(Reactor& reactor, const std::string& description);

/// @p argument with its backslashes and colons escaped, for use in a description. An equals sign is left as it is, as
/// in Twisted: give such a value by name.
std::string quoteStringArgument(const std::string& argument);

}  // namespace torsion::endpoints
