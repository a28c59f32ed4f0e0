#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/context_factory.hpp>
#include <torsion/core/deferred.hpp>

namespace torsion {

/// What is known of one TLS layer. Texts are empty, and certificate and protocol null, until its handshake is done.
class OnionLayer {
public:
    enum class State {
        handshaking,  ///< what is written waits
        up,
        stopping,  ///< stopTLS or loseConnection was called: the layer goes when both close_notify are through
    };

    ssl::Role role = ssl::Role::client;  ///< ours
    State state = State::handshaking;
    std::string version;  ///< such as "TLSv1.3"
    std::string cipher;   ///< such as "TLS_AES_256_GCM_SHA384"
    std::shared_ptr<const ssl::Certificate> peerCertificate;
    std::optional<std::string> negotiatedProtocol;  ///< by ALPN

    // Octets since the layer was put on.
    std::uint64_t plaintextReceived = 0;   ///< that came through this layer, for the layer inside or the application
    std::uint64_t plaintextWritten = 0;    ///< that were written to this layer, of which some may still wait in it
    std::uint64_t ciphertextReceived = 0;  ///< from below, handshake and alerts included
    std::uint64_t ciphertextWritten = 0;   ///< to below, handshake and alerts included
};

/// A transport on which layers of TLS can be put and taken off while the connection lives. The application's transport
/// under an OnionFactory: transport().as<OnionTransport>().
class OnionTransport {
public:
    virtual ~OnionTransport() = default;

    /// Puts a layer of TLS inside all others. What is written from now on goes through it, and waits for its handshake.
    /// If a stop is pending, the new layer starts at the pop. May be called before the layer below is up.
    ///
    /// @param leftover octets that were received already and belong to the handshake. What the application's protocol
    /// has
    ///        received and not interpreted (Protocol::takeUnprocessed), and is not handed over here, fails the
    ///        connection with PlaintextAfterStartTLS
    /// @return fires when the handshake is done and the peer verified; fails if the connection ends before. It may be
    ///         ignored: connectionLost gets the same reason, and then nothing is logged
    /// @throws TypeError for a recipe of the other role, also if a stop is pending; nothing has changed then
    virtual Deferred<void> startTLS(const ssl::ContextFactory& options, ssl::Role role, BytesView leftover = {}) = 0;

    /// Takes the innermost layer off: sends close_notify behind what was written, and waits for the peer's. Until then
    /// data is still delivered; what is written waits, and goes to the layer that is then innermost.
    /// @return fires at the pop; fails with the reason if the connection ends before, which may be ignored as above;
    ///         fails at once with OnionError at depth 0, which is logged if nobody listens
    virtual Deferred<void> stopTLS() = 0;

    /// How many layers there are, those in their handshake included.
    virtual unsigned depth() const = 0;

    /// The layers, outermost first.
    virtual std::vector<OnionLayer> layers() const = 0;

    /// Whether the peer may take a layer off that we have not stopped. Default true. If false, its close_notify ends
    /// the connection: for an application that never expects to fall back to less encryption.
    virtual void allowPassiveStop(bool allowed) = 0;
};

/// A protocol that wants to hear of its onion's layers: derive beside Protocol.
class OnionListener {
public:
    virtual ~OnionListener() = default;

    /// The handshake of layer @p depth (1 is the outermost) is done and its peer verified.
    virtual void layerStarted(unsigned depth) { static_cast<void>(depth); }

    /// Layer @p depth was taken off, by either side. What is written from inside goes out, after this has returned, one
    /// layer down: in the clear after layer 1.
    virtual void layerStopped(unsigned depth) { static_cast<void>(depth); }
};

}  // namespace torsion
