#pragma once

#include <memory>
#include <optional>
#include <typeinfo>

#include <torsion/core/abilities.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/core/transport.hpp>
#include <torsion/core/turn.hpp>
#include <torsion/transports/output_queue.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion {

class TLSMemoryBIOProtocol;

namespace tcp {

/// One end of a TCP connection (twisted.internet.tcp.Connection). Keeps itself alive until connectionLost has been
/// delivered; then it is only a shell whose methods do nothing.
class Connection final : public Transport,
                         public TCPTransport,
                         public TLSTransport,
                         public DescriptorListener,
                         public EndOfTurn,
                         public std::enable_shared_from_this<Connection> {
public:
    enum class Side { server, client };

    /// Called after the protocol's connectionLost.
    using LossHook = Function<void(const Failure&)>;

    Connection(Reactor& reactor, Socket socket, Side side, const Address& peer);
    ~Connection();

    /// Spares asking the system for our own address.
    void setHost(std::shared_ptr<const Address> host) { host_ = std::move(host); }

    /// Somebody else has a duplicate of the descriptor: to close ours does not end the connection.
    void setDescriptorShared() noexcept { descriptorShared_ = true; }

    /// Begins to read, and calls protocol->makeConnection. What that throws becomes the reason of the loss.
    /// @return what it threw, if it did
    std::optional<Failure> open(std::shared_ptr<Protocol> protocol, LossHook onLoss);

    // Transport
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override { loseConnection(); }
    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;
    Address getPeer() const override { return peer_; }
    Address getHost() const override;
    bool disconnecting() const override;
    Turn& turn() override { return turn_; }
    Transport* lower() noexcept override;

    // TCPTransport
    void loseWriteConnection() override;
    bool getTcpNoDelay() const override;
    void setTcpNoDelay(bool enabled) override;
    bool getTcpKeepAlive() const override;
    void setTcpKeepAlive(bool enabled) override;
    void setFinishWriting(bool enabled) override { finishWriting_ = enabled; }
    void setOutputLimit(std::size_t octets) override;
    void setCloseTimeout(Duration timeout) override;
    std::size_t bufferedBytes() const override;

    // TLSTransport
    void startTLS(const ssl::ContextFactory& options, TLSRole role, Residue residue) override;

    /// A producer is paused when more than this waits, and resumed when no more than the second does (PC-3, D23).
    static constexpr std::size_t kHighWater = 65536;
    static constexpr std::size_t kLowWater = 16384;

protected:
    TCPTransport* tcpTransport() noexcept override { return this; }
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override;

private:
    class Raw;

    // DescriptorListener, EndOfTurn
    void readable() override;
    void writable() override;
    void reactorGone(const Failure& reason) override;
    const std::type_info& servedType() const noexcept override;
    bool marksTurns() const noexcept override { return true; }
    std::shared_ptr<Protocol> acceptedProtocol() const override { return side_ == Side::server ? protocol_ : nullptr; }
    void endOfTurn() noexcept override { flush(); }

    // The socket itself, below any TLS.
    void rawLoseConnection();
    void rawAbortConnection();
    void rawFailConnection(const Failure& reason);
    void rawLoseWriteConnection();
    void rawRegisterProducer(std::shared_ptr<Producer> producer, bool streaming);
    void rawUnregisterProducer();
    void rawPauseProducing();
    void rawResumeProducing();
    void rawWrite(BytesView data);
    // Apart, or the short way would pay for the registers that they need.
    [[gnu::noinline]] void rawLendBehind(BytesView data);
    [[gnu::noinline]] void rawQueue(BytesView data);
    void rawQueue(Bytes&& data);
    template <class Data>
    void rawAppend(Data&& data);
    bool beingDelivered(BytesView data) const noexcept;
    void limitExceeded();
    void tooMuchWaits();

    bool takesWrites() const noexcept {
        return connected_ && !aborted_ && !failed_ && (!writeClosing_ || waitsForProducer());
    }
    bool waitsForProducer() const noexcept;
    void scheduleFlush();
    void flush();
    [[gnu::always_inline]] inline void flushIn(Turn& turn);  // for readable: every message takes this way
    ssize_t sendPieces(std::size_t& offered);
    bool sendSome(Turn& turn, std::size_t& budget);
    void setWriting(bool wanted);
    void flushed(bool hadOutput);
    Producer* producer() const noexcept;
    std::shared_ptr<Producer> takeProducer() noexcept;
    void peerClosed();
    void halfClosed();
    void askForHost() const;
    void watchStall();
    void end(const Failure& reason);
    template <class Call>
    void fenced(Call&& call);

    /// What few connections have, so that the others need no memory for it.
    struct Rare;
    Rare& rare();
    Protocol& receiver() noexcept;

    Turn& turn_;
    Reactor& reactor_;
    OutputQueue output_;
    TLSMemoryBIOProtocol* tls_ = nullptr;  ///< of startTLS: what is read goes to it first
    std::unique_ptr<DescriptorWatch> watch_;
    std::unique_ptr<Rare> rare_;
    std::shared_ptr<Protocol> protocol_;
    std::shared_ptr<Connection> self_;
    std::size_t outputLimit_ = kDefaultOutputLimit;
    Address peer_;
    mutable std::shared_ptr<const Address> host_;  ///< shared by all that a port accepts
    Socket socket_;
    Side side_;
    bool connected_ = false;  ///< from open() to the loss
    bool disconnecting_ = false;
    bool aborted_ = false;
    bool failed_ = false;        ///< the reason is known already
    bool readEnded_ = false;     ///< the peer's FIN came
    bool writeClosing_ = false;  ///< loseWriteConnection was called
    bool writeClosed_ = false;   ///< our FIN is out
    bool streaming_ = false;     ///< producer_ is a push producer
    bool producerPaused_ = false;
    bool finishWriting_ = false;
    bool inCallback_ = false;  ///< a flush follows anyway
    bool inFlush_ = false;
    bool descriptorShared_ = false;
    bool delivering_ = false;  ///< what the turn's read buffer holds
    bool writing_ = false;     ///< waits for room to send
};

}  // namespace tcp
}  // namespace torsion
