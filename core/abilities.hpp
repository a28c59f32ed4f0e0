#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/core/bytes.hpp>
#include <torsion/core/context_factory.hpp>
#include <torsion/core/duration.hpp>
#include <torsion/core/failure.hpp>

/// What only some transports and protocols can do. Of a transport: transport().query<T>() or as<T>(). Of a protocol:
/// derive from the class beside Protocol; it is found through wrappers.
namespace torsion {

/// What a TCP connection can do besides (ITCPTransport). A layer that changes the byte stream has its own.
class TCPTransport {
public:
    virtual ~TCPTransport() = default;
    /// Sends what is queued, then tells the peer that no more will come; reading goes on (TR-8).
    virtual void loseWriteConnection() = 0;
    virtual bool getTcpNoDelay() const = 0;
    virtual void setTcpNoDelay(bool enabled) = 0;
    virtual bool getTcpKeepAlive() const = 0;
    virtual void setTcpKeepAlive(bool enabled) = 0;
    /// Whether a peer's FIN still lets us send what is queued before the connection ends. Off by default: Twisted drops
    /// it (TR-9, D7).
    virtual void setFinishWriting(bool enabled) = 0;
    /// Above this many octets waiting, a write aborts the connection with OutputLimitExceeded (D25). What a single
    /// write adds does not count. Default kDefaultOutputLimit.
    virtual void setOutputLimit(std::size_t octets) = 0;
    static constexpr std::size_t kDefaultOutputLimit = 64U << 20;
    /// How long a connection that is closing waits for the peer to take anything of what is left to send; then it is
    /// reset.
    /// @throws ValueError unless positive
    virtual void setCloseTimeout(Duration timeout) = 0;
    static constexpr Duration kDefaultStalledCloseTimeout = std::chrono::seconds(60);
    /// How many octets wait to be sent.
    virtual std::size_t bufferedBytes() const = 0;
};

/// What to do with plaintext that was received, and not yet interpreted, when TLS starts (decision: STARTTLS hygiene).
enum class Residue {
    fail,       ///< the connection fails with PlaintextAfterStartTLS: it is an attack or a bug
    feedToTLS,  ///< it is the start of the peer's handshake: TLS reads it
};

/// Which side of the handshake to be.
enum class TLSRole {
    normal,  ///< as the connection was made: the one who accepted is the server
    client,
    server,
};

/// A transport that can go over to TLS in the middle of a connection (ITLSTransport).
class TLSTransport {
public:
    virtual ~TLSTransport() = default;
    /// What was written before goes out in the clear first (STL-1); what is written from now on is encrypted and waits
    /// for the handshake. The protocol keeps its transport (STL-3).
    /// @throws RuntimeError if TLS is on already: for TLS in TLS there is OnionProtocol (STL-4)
    virtual void startTLS(const ssl::ContextFactory& options, TLSRole role = TLSRole::normal,
                          Residue residue = Residue::fail) = 0;
};

/// A transport that is under TLS (ISSLTransport and INegotiated).
class SSLTransport {
public:
    virtual ~SSLTransport() = default;
    /// The peer's certificate; null before the handshake is done or if it sent none.
    virtual std::shared_ptr<const ssl::Certificate> getPeerCertificate() const = 0;
    /// The ALPN protocol agreed on; none before the handshake is done or without agreement.
    virtual std::optional<std::string> negotiatedProtocol() const = 0;
    /// Such as "TLSv1.3"; empty before the handshake is done.
    virtual std::string tlsVersion() const = 0;
    /// Such as "TLS_AES_256_GCM_SHA384"; empty before the handshake is done.
    virtual std::string tlsCipher() const = 0;
    /// Whether the handshake took up an earlier session instead of a full one (RFC 8446, 2.2); false before it is done.
    virtual bool sessionReused() const = 0;
    /// @p size octets that both ends compute alike and nobody else can (RFC 5705; RFC 8446, 7.5). Other labels and
    /// contexts give other octets. In TLS 1.2 an empty context is not the same as none; in TLS 1.3 it is.
    /// @param label names the use: one from IANA's registry, or one that begins with "EXPERIMENTAL"
    /// @param size 1 to 8160
    /// @param context what it shall depend on, up to 512 octets: of what is longer, take a hash
    /// @throws RuntimeError before the handshake is done
    /// @throws ValueError for a size, label or context that is out of bounds, or a label that TLS uses itself
    virtual Bytes exportKeyingMaterial(std::string_view label, std::size_t size,
                                       std::optional<BytesView> context = std::nullopt) const = 0;
    /// What ties an authentication above TLS to this very connection: an end whose value differs talks to somebody in
    /// between (RFC 5056). The types are "tls-exporter" (RFC 9266) and "tls-server-end-point" (RFC 5929). There is no
    /// "tls-unique": it does not exist in TLS 1.3, and needs care in TLS 1.2.
    /// @throws RuntimeError before the handshake is done, or if this connection has no such value
    /// @throws ValueError for another type; the text names those that there are
    virtual Bytes channelBinding(std::string_view type) const = 0;
};

/// A protocol that goes on after one direction has ended (IHalfCloseableProtocol). It must then close the connection.
class HalfCloseableProtocol {
public:
    virtual ~HalfCloseableProtocol() = default;
    virtual void readConnectionLost() = 0;
    virtual void writeConnectionLost() = 0;
};

/// A protocol that wants to know when TLS is up and verified (IHandshakeListener). Comes once, before any data.
class HandshakeListener {
public:
    virtual ~HandshakeListener() = default;
    virtual void handshakeCompleted() = 0;
};

/// A protocol that wants to know when its program is about to end (service::run drains): for connections that a peer
/// began. It should finish what it is at, such as the request that it answers, take up nothing new, and close the
/// connection; one that is idle closes it at once. What is left when the time is up is aborted. Comes once, maybe
/// before handshakeCompleted. Without this ability a connection is waited for all the same.
class DrainListener {
public:
    virtual ~DrainListener() = default;
    virtual void draining() = 0;
};

}  // namespace torsion
