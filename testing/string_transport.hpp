#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <torsion/core/abilities.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/transport.hpp>
#include <torsion/testing/clock.hpp>

namespace torsion::testing {

/// A transport that keeps what is written to it, remembers what was asked of it, and does nothing
/// (twisted.internet.testing.StringTransport). Host 10.0.0.1:12345 and peer 192.168.1.1:54321 unless told otherwise.
class StringTransport : public Transport, public TCPTransport {
public:
    /// What the transport was last told in its part as a push producer.
    enum class ProducerState { producing, paused, stopped };

    /// With a Clock of its own.
    StringTransport();
    /// On @p clock, which must outlive it.
    explicit StringTransport(task::Clock& clock);
    ~StringTransport() override;

    // For the test.

    /// All that was written since the beginning or the last clear().
    const Bytes& value() const noexcept { return written_; }
    void clear() noexcept { written_.clear(); }

    /// How many writes there were, whatever their size.
    std::size_t writes() const noexcept { return writes_; }

    /// False from the loss on; a plain StringTransport is never lost.
    bool connected() const noexcept { return connected_; }

    /// Whether abortConnection was called (disconnected, in Twisted).
    bool aborted() const noexcept { return aborted_; }

    /// What failConnection was called with.
    const std::optional<Failure>& failure() const noexcept { return failure_; }

    /// Whether loseWriteConnection was called; writes after it are dropped.
    bool writeClosed() const noexcept { return writeClosed_; }

    ProducerState producerState() const noexcept { return producerState_; }
    const std::shared_ptr<Producer>& producer() const noexcept { return producer_; }
    bool streaming() const noexcept { return streaming_; }

    void setHost(Address address) { host_ = std::move(address); }
    void setPeer(Address address) { peer_ = std::move(address); }

    /// Whether pauseProducing and resumeProducing after loseConnection are let pass. By default they throw
    /// RuntimeError: who calls them then waits for something that never comes.
    void setLenient(bool lenient) noexcept { lenient_ = lenient; }

    task::Clock& clock() noexcept { return *clock_; }

    bool finishWriting() const noexcept { return finishWriting_; }
    std::size_t outputLimit() const noexcept { return outputLimit_; }

    // As a transport.
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override { producer_.reset(); }
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override { producerState_ = ProducerState::stopped; }
    void loseConnection() override { disconnecting_ = true; }
    void abortConnection() override;
    void failConnection(const Failure& reason) override;
    Address getPeer() const override { return peer_; }
    Address getHost() const override { return host_; }
    bool disconnecting() const override { return disconnecting_; }
    Turn& turn() override { return clock_->turn(); }
    Transport* lower() noexcept override { return nullptr; }

    // As a TCP transport: the settings are kept, and nothing follows from them.
    void loseWriteConnection() override { writeClosed_ = true; }
    bool getTcpNoDelay() const override { return noDelay_; }
    void setTcpNoDelay(bool enabled) override { noDelay_ = enabled; }
    bool getTcpKeepAlive() const override { return keepAlive_; }
    void setTcpKeepAlive(bool enabled) override { keepAlive_ = enabled; }
    void setFinishWriting(bool enabled) override { finishWriting_ = enabled; }
    void setOutputLimit(std::size_t octets) override { outputLimit_ = octets; }
    /// Kept for nothing: in memory nobody stalls but by the test's will.
    void setCloseTimeout(Duration) override {}
    /// The size of value().
    std::size_t bufferedBytes() const override { return written_.size(); }

protected:
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override { writeView(data); }

    void setDisconnected() noexcept { connected_ = false; }

private:
    void checkProducing() const;

    std::unique_ptr<task::Clock> ownClock_;
    task::Clock* clock_;
    Bytes written_;
    std::size_t writes_ = 0;
    Address host_ = IPv4Address("10.0.0.1", 12345);
    Address peer_ = IPv4Address("192.168.1.1", 54321);
    std::shared_ptr<Producer> producer_;
    std::optional<Failure> failure_;
    ProducerState producerState_ = ProducerState::producing;
    std::size_t outputLimit_ = kDefaultOutputLimit;
    bool streaming_ = false;
    bool connected_ = true;
    bool disconnecting_ = false;
    bool aborted_ = false;
    bool writeClosed_ = false;
    bool lenient_ = false;
    bool noDelay_ = false;
    bool keepAlive_ = false;
    bool finishWriting_ = false;
};

/// A StringTransport whose loss really comes: in the turn after loseConnection (ConnectionDone), abortConnection
/// (ConnectionAborted) or failConnection (its reason) a registered producer is stopped, and then the protocol gets its
/// connectionLost. Move the clock() to pass a turn.
class StringTransportWithDisconnection : public StringTransport,
                                         public std::enable_shared_from_this<StringTransportWithDisconnection> {
public:
    using StringTransport::StringTransport;

    /// Who is told. Held weakly: the test holds it.
    void setProtocol(const std::shared_ptr<Protocol>& protocol) { protocol_ = protocol; }
    std::shared_ptr<Protocol> protocol() const noexcept { return protocol_.lock(); }

    /// Called with the reason when the protocol has been told of its loss.
    void setLossHook(std::function<void(const Failure&)> hook) { lossHook_ = std::move(hook); }

    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;

    /// As if the peer or the network ended the connection.
    void lose(const Failure& reason);

private:
    void finish(const Failure& reason);

    std::weak_ptr<Protocol> protocol_;
    std::function<void(const Failure&)> lossHook_;
    bool losing_ = false;
};

}  // namespace torsion::testing
