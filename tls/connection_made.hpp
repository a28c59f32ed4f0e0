#pragma once

namespace torsion {

/// When a protocol under TLS is told that its connection is made.
enum class ConnectionMade {
    /// When the transport below is up, as in Twisted (TLS-1). What is written then waits for the handshake; if that
    /// fails, the protocol hears of it in connectionLost.
    beforeHandshake,
    /// When the handshake is done and the peer verified. If it fails, the protocol is never connected and hears
    /// nothing, and a client endpoint's Deferred fails with the reason.
    ///
    /// A client that shows a certificate does not know then whether the server accepts it: in TLS 1.3 the server's
    /// refusal comes after the client's handshake is done (TLS-10).
    afterHandshake,
};

}  // namespace torsion
