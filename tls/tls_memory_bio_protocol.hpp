#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/turn.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>
#include <torsion/tls/connection_made.hpp>
#include <torsion/tls/engine.hpp>

namespace torsion {

class ProducerMembrane;

/// How many octets one TLS layer has carried.
struct TLSTraffic {
    std::uint64_t plaintextReceived = 0;   ///< delivered to the protocol inside
    std::uint64_t plaintextWritten = 0;    ///< taken from it, of which some may still wait
    std::uint64_t ciphertextReceived = 0;  ///< of the transport below, handshake and alerts included
    std::uint64_t ciphertextWritten = 0;   ///< to the transport below, handshake and alerts included
};

/// TLS over any transport (twisted.protocols.tls.TLSMemoryBIOProtocol): the ProtocolWrapper round an ssl::Engine.
///
/// To the wrapped protocol it is a transport. connectionMade comes before the handshake (TLS-1); what is written then
/// waits for it (TLS-4). loseConnection is two-way: our close_notify goes out, and the transport below is closed when
/// the peer's has come, or is aborted after the close timeout (TLS-8, D3). An end without close_notify is TLSTruncated,
/// a ConnectionLost (TLS-12). A failure of TLS ends the transport below with that failure as the reason.
///
/// A wrapped HalfCloseableProtocol may go on writing behind the peer's close_notify, of which readConnectionLost tells,
/// and must close the connection itself. writeConnectionLost comes when the close_notify of loseWriteConnection has
/// been written to the transport below.
class TLSMemoryBIOProtocol : public ProtocolWrapper,
                             public SSLTransport,
                             public TCPTransport,
                             public TLSTransport,
                             public DrainListener,
                             private ssl::Engine::Output,
                             private EndOfTurn {
public:
    /// TLS under @p wrappedProtocol, which is connected together with this layer.
    TLSMemoryBIOProtocol(std::shared_ptr<WrappingFactory> factory, const ssl::ContextFactory& options, ssl::Role role,
                         std::shared_ptr<Protocol> wrappedProtocol,
                         ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

    /// The same with a recipe that is shared already: one for all connections of a factory.
    TLSMemoryBIOProtocol(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<const ssl::ContextFactory> options,
                         ssl::Role role, std::shared_ptr<Protocol> wrappedProtocol,
                         ConnectionMade connectionMade = ConnectionMade::beforeHandshake);

    /// TLS under a protocol that is connected already and goes on (startTLS).
    TLSMemoryBIOProtocol(const ssl::ContextFactory& options, ssl::Role role, std::shared_ptr<Protocol> wrappedProtocol);

    ~TLSMemoryBIOProtocol() override;

    // As a protocol.
    void makeConnection(std::shared_ptr<Transport> transport) override;
    void dataReceived(BytesView data) override;
    void connectionLost(const Failure& reason) override;
    /// Nobody who is the application's: what becomes of the two directions of the stream below is not its to know.
    Protocol* wrapped() const noexcept override;
    /// Passed on; if the wrapped protocol is not connected yet, when it is.
    void draining() override;

    /// Fires when the handshake is done and the wrapped protocol's connectionMade has returned; fails with why that
    /// will not be. To cancel it gives up the connection. Every call makes a new one.
    Deferred<void> established();

    // As a transport.
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override { loseConnection(); }
    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;

    // SSLTransport
    std::shared_ptr<const ssl::Certificate> getPeerCertificate() const override;
    std::optional<std::string> negotiatedProtocol() const override;
    std::string tlsVersion() const override;
    std::string tlsCipher() const override;
    bool sessionReused() const override { return handshakeDone_ && session().reused(); }
    Bytes exportKeyingMaterial(std::string_view label, std::size_t size,
                               std::optional<BytesView> context) const override {
        return session().exportKeyingMaterial(label, size, context);
    }
    Bytes channelBinding(std::string_view type) const override { return session().channelBinding(type); }

    // TCPTransport: the end of writing is ours, the rest belongs to the transport below. @throws TypeError if it has
    // none
    /// Sends close_notify behind what was written, and reads on (deviation from TLS-20).
    void loseWriteConnection() override;
    bool getTcpNoDelay() const override { return tcp().getTcpNoDelay(); }
    void setTcpNoDelay(bool enabled) override { tcp().setTcpNoDelay(enabled); }
    bool getTcpKeepAlive() const override { return tcp().getTcpKeepAlive(); }
    void setTcpKeepAlive(bool enabled) override { tcp().setTcpKeepAlive(enabled); }
    void setFinishWriting(bool enabled) override { tcp().setFinishWriting(enabled); }
    /// Of what waits here and below. The transport below is not asked for a limit of its own any more.
    void setOutputLimit(std::size_t octets) override {
        outputLimit_ = octets;
        freeUpTo_ = 0;
    }
    void setCloseTimeout(Duration timeout) override { tcp().setCloseTimeout(timeout); }
    std::size_t bufferedBytes() const override;

    // TLSTransport
    /// @throws RuntimeError: for TLS in TLS there is OnionProtocol (STL-4)
    void startTLS(const ssl::ContextFactory& options, TLSRole role, Residue residue) override;

    /// Whether the handshake is done and the peer verified.
    bool handshakeDone() const noexcept { return handshakeDone_; }

    const ssl::Session& session() const noexcept { return engine_.session(); }

    const TLSTraffic& traffic() const noexcept { return traffic_; }

protected:
    /// Closes this layer, and delivers what still comes before the peer's close_notify (loseConnection drops it).
    void closeLayer();

    /// Encrypts what was gathered, if the handshake is done.
    void flush();

    /// The handshake is done and the peer verified. Overrides call this one.
    virtual void handshakeFinished();

    /// The peer's close_notify has come, and ours may not be out yet. @return false if that is not to be: then the
    /// connection has been failed
    virtual bool peerMayClose() { return true; }

    /// The wrapped protocol, if it may go on writing when the peer has closed its side.
    virtual HalfCloseableProtocol* halfCloseable() { return wrappedProtocol()->provides<HalfCloseableProtocol>(); }

    /// Both close_notify are through. @param rest what stood behind the peer's; for plain TLS it is void (RFC
    /// 8446, 6.1)
    virtual void closed(BytesView rest);

    /// This layer is broken, and the transport below is about to be told.
    virtual void broken() {}

    TCPTransport* tcpTransport() noexcept override { return this; }
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override;

private:
    // ssl::Engine::Output, EndOfTurn
    void ciphertext(BytesView data) override;
    void endOfTurn() noexcept override;

    void process(BytesView input);
    void readAll();
    void heardClose();
    void closedByBoth(BytesView rest);
    Failure cutShort() const;
    void connectWrapped();
    void settle(const Failure* failure);
    void later(void (TLSMemoryBIOProtocol::*work)());
    void tellWriteConnectionLost();
    void deliver(BytesView plaintext, Protocol& receiver);
    class Encrypting;
    bool lend(BytesView data) noexcept;
    void keepLent();
    void dropWaiting() noexcept;
    bool tooMuchWaits();
    [[gnu::noinline]] void queue(BytesView data);  // or the short way would pay for the registers that it needs
    void gather(BytesView data);
    void encrypt(BytesView data);
    void finishClosing();
    void finishSoon();
    void sendCloseNotify();
    void expectClose(std::size_t ahead);
    void schedule();
    void fail(const Failure& reason);
    void expect(Duration timeout, Function<void()> otherwise);
    void expectNothing();
    void goOnAfterPause();
    bool takesWrites() const noexcept { return alive() && !closeSent_ && (!closing_ || producer_); }  // TLS-7
    std::size_t waitingHere() const noexcept { return pending_.size() + lent_.size(); }
    std::size_t waitingBelow() const { return below_ != nullptr ? below_->bufferedBytes() : 0; }
    bool alive() const noexcept { return connected() && !over_; }
    /// Whether ciphertext is being made: what is written meanwhile, by a producer that is told to pause, waits.
    bool busy() const noexcept { return engine_.busy() || encrypting_; }
    bool mayEncrypt() const noexcept { return handshakeDone_ && !busy() && !engine_.midMessage(); }
    TCPTransport& tcp() const { return below_ != nullptr ? *below_ : transport().as<TCPTransport>(); }

    std::shared_ptr<const ssl::ContextFactory> options_;
    ssl::Engine engine_;
    Bytes pending_;            ///< plaintext that waits for the handshake or the end of the turn
    BytesView delivered_;      ///< what the wrapped protocol is being given
    BytesView lent_;           ///< the part of it that goes back, behind pending_; copied when the delivery ends
    Bytes held_;               ///< ciphertext that came or was left while reading was paused
    Bytes* flight_ = nullptr;  ///< where the records of one write are put together, while it is encrypted
    std::shared_ptr<ProducerMembrane> producer_;
    DelayedCall timeout_;  ///< of the handshake, then of the close
    TLSTraffic traffic_;
    std::size_t outputLimit_ = kDefaultOutputLimit;
    std::size_t freeUpTo_ = 0;             ///< as long as less waits here, what waits below need not be asked
    TCPTransport* below_ = nullptr;        ///< the ability of the transport below, looked up once
    std::vector<Deferred<void>> waiting_;  ///< of established()
    unsigned depth_ = 0;
    enum class Connects : std::uint8_t { never, atOnce, whenVerified, done } connects_;  ///< the wrapped protocol
    bool handshakeDone_ = false;
    bool established_ = false;  ///< and the wrapped protocol has been told
    bool closing_ = false;      ///< close_notify shall go out behind what was written
    bool discarding_ = false;   ///< nothing more is delivered
    bool closeSent_ = false;
    bool closeReceived_ = false;
    bool unsentAtClose_ = false;  ///< data of ours may be lost although the peer closed cleanly
    bool halfClosing_ = false;    ///< closing_ came from loseWriteConnection: no timeout for the peer
    bool over_ = false;           ///< done or broken: nothing goes through any more
    bool processing_ = false;
    bool encrypting_ = false;
    bool paused_ = false;
    bool draining_ = false;  ///< the wrapped protocol is to be told when it is connected
};

}  // namespace torsion
