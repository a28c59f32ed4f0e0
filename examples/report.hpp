#pragma once

#include <string>

#include <torsion/core/abilities.hpp>
#include <torsion/core/bytes.hpp>
#include <torsion/core/connector.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/core/transport.hpp>

/// What the example programs print, so that scripts can read it: one line a fact, on stdout unless it says otherwise.
namespace examples {

/// How many connections may wait to be accepted: enough for 2000 that come at once.
inline constexpr int kBacklog = 4096;

/// Prints @p line. What could pass for another line or move a terminal's cursor is shown as \xNN.
void print(const std::string& line);

/// "NAME: what and where" on stderr: the one line about input that cannot be used.
void complain(const std::string& name, const std::string& what);

/// "LISTENING <port>", once the reactor runs and so minds signals. Starts the log on stderr.
void listening(torsion::Reactor& reactor, const torsion::ListeningPort& port);
void listening(torsion::Reactor& reactor, const torsion::Address& host);

/// "received: <line>"
void received(torsion::BytesView line);

/// "lost: clean" or "lost: unclean: <why>"
void lost(const torsion::Failure& reason);

/// "negotiated: <protocol>" or "negotiated: none"
void negotiated(const torsion::SSLTransport& transport);

/// "state: 0 plain" on stderr.
void statePlain();

/// "state: <depth> <TLS version> <cipher> <peer's common name>" on stderr; "-" for a peer without certificate.
void stateTLS(const torsion::SSLTransport& layer);

/// The same for an onion, about its innermost layer; without any, statePlain.
void stateOnion(torsion::Transport& transport);

}  // namespace examples
