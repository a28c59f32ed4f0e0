#pragma once

#include <list>
#include <memory>
#include <variant>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>
#include <torsion/tls/onion_transport.hpp>

namespace torsion {

class OnionTLSProtocol;
class ProducerMembrane;

/// A transport and protocol on which TLS layers stack: a doubly linked list of protocols and transports.
///
/// wrappedProtocol() leads inward, from this through the layers, outermost first, to the application's protocol: the
/// way of what is received. transport() leads outward, from this through the layers, innermost first, to the transport
/// that this was connected to: the way of what is written. startTLS splices a layer in at the inner end, a pop takes it
/// out.
///
/// @code
///     received:  head --> onion --> layer 1 --> layer 2 --> application
///     written:   head <------------ layer 1 <-- layer 2 <-- onion <-- application
/// @endcode
///
/// No octet is lost or moves to another layer: what stands behind a close_notify goes to the layer below, and what is
/// written between stopTLS and the pop waits. A layer that fails, or is closed while it carries others, ends the
/// whole connection. loseConnection closes all layers, the innermost first, then the head.
class OnionProtocol : public ProtocolWrapper,
                      public OnionTransport,
                      public TCPTransport,
                      public TLSTransport,
                      public DrainListener {
public:
    OnionProtocol(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<Protocol> wrappedProtocol);
    ~OnionProtocol() override;

    // OnionTransport
    Deferred<void> startTLS(const ssl::ContextFactory& options, ssl::Role role, BytesView leftover = {}) override;
    Deferred<void> stopTLS() override;
    unsigned depth() const override { return depth_; }
    std::vector<OnionLayer> layers() const override;
    void allowPassiveStop(bool allowed) override { passiveStopAllowed_ = allowed; }

    // TLSTransport
    /// As above, without the Deferred. @throws ValueError for TLSRole::normal: an onion does not know who connected
    /// @throws TypeError for a recipe of the other role; nothing has changed then
    void startTLS(const ssl::ContextFactory& options, TLSRole role, Residue residue) override;

    // As a protocol.
    void makeConnection(std::shared_ptr<Transport> transport) override;
    /// Connects the application, under whatever layers there are by now.
    void connectionMade() override { tail_->makeConnection(asTransport()); }
    void dataReceived(BytesView data) override;
    void connectionLost(const Failure& reason) override;
    Protocol* wrapped() const noexcept override;
    /// Passed on to the application, whatever layers there are.
    void draining() override;

    // As a transport.
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override { loseConnection(); }
    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;

    // TCPTransport: of the innermost layer, which knows what is its own to do
    /// What is written from now on is dropped, also when the peer answers our close_notify and so takes the layer off.
    void loseWriteConnection() override;
    bool getTcpNoDelay() const override { return tcp().getTcpNoDelay(); }
    void setTcpNoDelay(bool enabled) override { tcp().setTcpNoDelay(enabled); }
    bool getTcpKeepAlive() const override { return tcp().getTcpKeepAlive(); }
    void setTcpKeepAlive(bool enabled) override { tcp().setTcpKeepAlive(enabled); }
    void setFinishWriting(bool enabled) override { tcp().setFinishWriting(enabled); }
    void setOutputLimit(std::size_t octets) override { outputLimit_ = octets; }
    void setCloseTimeout(Duration timeout) override { tcp().setCloseTimeout(timeout); }
    std::size_t bufferedBytes() const override;

protected:
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override { writeView(data); }

private:
    friend class OnionTLSProtocol;

    struct Start {
        std::shared_ptr<OnionTLSProtocol> layer;
        Bytes leftover;
    };
    struct Stop {
        std::vector<Deferred<void>> stopped;
    };
    using Operation = std::variant<Bytes, Start, Stop>;

    // From the layers.
    void layerUp(OnionTLSProtocol& layer);
    bool layerMayClose(OnionTLSProtocol& layer);
    void layerBroken() noexcept { closing_ = true; }
    void pop(OnionTLSProtocol& layer);
    void deliverRest(unsigned place, BytesView rest);
    void deliverHeld();

    std::shared_ptr<OnionTLSProtocol> newLayer(const ssl::ContextFactory& options, ssl::Role role);
    Deferred<void> startWhenPossible(Start start);
    void push(Start start);
    bool refuseResidue(const Deferred<void>& started);
    void stop(const std::vector<Deferred<void>>& stopped);
    void runWaiting();
    bool blocked() const noexcept;
    bool mustWait() const noexcept;
    void parkProducer();
    void unparkProducer();
    void writeTo(std::shared_ptr<Transport> transport);
    TCPTransport& tcp() const { return transport().as<TCPTransport>(); }
    OnionListener* listener() const;

    std::shared_ptr<Transport> head_;
    Protocol* tail_;                       ///< the application's protocol
    OnionTLSProtocol* current_ = nullptr;  ///< the innermost layer; null at depth 0
    std::list<Operation> waiting_;         ///< what was asked for since stopTLS, in order
    std::size_t waitingBytes_ = 0;
    std::size_t outputLimit_ = kDefaultOutputLimit;
    TCPTransport* below_ = nullptr;        ///< the ability of transport(), looked up once a layer
    std::vector<Deferred<void>> orphans_;  ///< Deferreds of operations that will not happen any more
    std::shared_ptr<Producer> producer_;   ///< what is registered with the layers: the membrane, or a pull producer
    std::shared_ptr<ProducerMembrane> membrane_;  ///< round a push producer, which hears of changes only
    Bytes held_;                                  ///< came behind a close_notify, to a paused application
    unsigned heldPlace_ = 0;
    unsigned depth_ = 0;
    bool streaming_ = false;
    bool producerParked_ = false;
    bool passiveStopAllowed_ = true;
    bool closing_ = false;
    bool writeClosed_ = false;  ///< loseWriteConnection was called
    bool paused_ = false;       ///< the application is
    bool announcing_ = false;   ///< layerStopped is on the stack: nothing goes below yet
};

}  // namespace torsion
