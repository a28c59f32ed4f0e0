#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/transport.hpp>
#include <torsion/testing/byte_queue.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/segmentation.hpp>

namespace torsion::testing {

/// One end of an in-memory connection (FakeTransport of twisted.test.iosim), which behaves as TCP does: output waits
/// in a queue, a bounded wire leads to the peer, and an end is a FIN or an RST. Made by IOPump, and moved by it.
class FakeTransport final : public Transport, public TCPTransport {
public:
    /// Above this many octets waiting a push producer is paused, at this many it is resumed (PC-3, D23).
    static constexpr std::size_t kHighWater = 65536;
    static constexpr std::size_t kLowWater = 16384;
    /// How many octets the wire holds that the peer has not read.
    static constexpr std::size_t kDefaultWireCapacity = 262144;

    FakeTransport(std::shared_ptr<task::Clock> clock, Address host, Address peer);
    ~FakeTransport() override;

    // For the test.

    /// The connection is gone, for this end, because of @p reason: in the next turn. The peer hears nothing of it.
    void breakConnection(const Failure& reason);

    /// Whether connectionLost has not been delivered yet.
    bool connected() const noexcept { return !lost_; }

    /// The protocol of this end.
    const std::shared_ptr<Protocol>& protocol() const noexcept { return protocol_; }

    /// How what comes to this end is cut.
    void setSegmentation(Segmentation segmentation) { segmentation_ = std::move(segmentation); }

    /// How many octets may be on the way to this end.
    void setWireCapacity(std::size_t octets) noexcept { wireCapacity_ = octets; }

    /// Sees all octets that go on the wire to the peer.
    void setTap(std::function<void(BytesView)> tap) { tap_ = std::move(tap); }

    /// Gets a line of text for everything that happens at this end.
    void setTrace(std::function<void(const std::string&)> trace) { trace_ = std::move(trace); }

    /// Octets come only when the peer reads them: there is no wire that holds any while it does not, and a push
    /// producer is paused by each write until the peer has taken all (the unbuffered pipe of KJ). What a protocol
    /// without a producer writes to a peer that does not read shows in bufferedBytes() and peakBufferedBytes(), all of
    /// it.
    void setUnbuffered(bool unbuffered) noexcept { unbuffered_ = unbuffered; }

    /// The most octets that ever waited here to be sent.
    std::size_t peakBufferedBytes() const noexcept { return peak_; }

    /// How many octets went on the wire from here, and how many were delivered to the protocol here.
    std::uint64_t sentBytes() const noexcept { return sent_; }
    std::uint64_t deliveredBytes() const noexcept { return delivered_; }

    /// Why connectionLost comes in the next turn, or came.
    const std::optional<Failure>& loss() const noexcept { return loss_; }

    /// Called with the reason when the protocol has been told of its loss.
    void setLossHook(std::function<void(const Failure&)> hook) { lossHook_ = std::move(hook); }

    bool getFinishWriting() const noexcept { return finishWriting_; }
    bool paused() const noexcept { return paused_; }
    const std::shared_ptr<Producer>& producer() const noexcept { return producer_; }

    // As a transport.
    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override;
    void unregisterProducer() override;
    void pauseProducing() override { paused_ = true; }
    void resumeProducing() override { paused_ = false; }
    void stopProducing() override { loseConnection(); }
    void loseConnection() override;
    void abortConnection() override;
    void failConnection(const Failure& reason) override;
    Address getPeer() const override { return peerAddress_; }
    Address getHost() const override { return hostAddress_; }
    bool disconnecting() const override { return disconnecting_; }
    Turn& turn() override { return clock_->turn(); }
    Transport* lower() noexcept override { return nullptr; }

    // As a TCP transport.
    void loseWriteConnection() override { writeClosing_ = true; }
    bool getTcpNoDelay() const override { return noDelay_; }
    void setTcpNoDelay(bool enabled) override { noDelay_ = enabled; }
    bool getTcpKeepAlive() const override { return keepAlive_; }
    void setTcpKeepAlive(bool enabled) override { keepAlive_ = enabled; }
    void setFinishWriting(bool enabled) override { finishWriting_ = enabled; }
    void setOutputLimit(std::size_t octets) override { outputLimit_ = octets; }
    /// Kept for nothing: in memory nobody stalls but by the test's will.
    void setCloseTimeout(Duration) override {}
    std::size_t bufferedBytes() const override { return output_.size(); }

protected:
    void writeView(BytesView data) override;
    void writeOwned(Bytes&& data) override { writeView(data); }

private:
    friend class IOPump;

    /// What ends one direction of the wire.
    enum class WireEnd : unsigned char { open, fin, reset };

    void start(const std::shared_ptr<FakeTransport>& self, std::shared_ptr<Protocol> protocol);

    // The steps of a turn, made by the pump. They tell whether anything happened.
    bool finish();
    bool send(bool impatient);
    bool receive(bool impatient);

    bool reading() const noexcept;
    std::size_t highWater() const noexcept { return unbuffered_ ? 0 : kHighWater; }
    std::size_t lowWater() const noexcept { return unbuffered_ ? 0 : kLowWater; }
    std::size_t segment(std::size_t available, bool impatient);
    bool transmit(bool impatient);
    bool askProducer();
    bool close();
    void deliver(std::size_t octets);
    void meetEnd();
    void endWire(WireEnd how) noexcept;
    void lose(const Failure& reason);
    template <class F>
    void contain(F&& callback);
    void note(const std::string& event) const;

    std::shared_ptr<task::Clock> clock_;
    Address hostAddress_;
    Address peerAddress_;
    FakeTransport* other_ = nullptr;
    std::shared_ptr<Protocol> protocol_;
    std::shared_ptr<Producer> producer_;
    detail::ByteQueue output_;         ///< written here, not yet on the wire
    detail::ByteQueue wire_;           ///< on the way to here
    WireEnd wireEnd_ = WireEnd::open;  ///< what comes behind that
    std::optional<Failure> loss_;      ///< why connectionLost comes in the next turn
    std::optional<Failure> failure_;   ///< why it comes when the output is sent
    Segmentation segmentation_ = segmentation::whole();
    std::function<void(BytesView)> tap_;
    std::function<void(const std::string&)> trace_;
    std::function<void(const Failure&)> lossHook_;
    std::vector<std::string>* recent_ = nullptr;  ///< where the pump wants to hear of everything, too
    std::uint64_t sent_ = 0;
    std::uint64_t delivered_ = 0;
    std::size_t peak_ = 0;
    std::size_t wireCapacity_ = kDefaultWireCapacity;
    std::size_t outputLimit_ = kDefaultOutputLimit;
    bool streaming_ = false;
    bool producerPaused_ = false;
    bool pullAsked_ = false;  ///< and nothing was written since
    bool paused_ = false;
    bool readClosed_ = false;
    bool writeClosing_ = false;
    bool writeClosed_ = false;
    bool disconnecting_ = false;
    bool flushing_ = false;  ///< the peer's FIN came, and finishWriting is on
    bool lost_ = false;
    bool unbuffered_ = false;
    bool partial_ = false;  ///< this turn has moved a part only of what was there
    bool noDelay_ = false;
    bool keepAlive_ = false;
    bool finishWriting_ = false;
};

}  // namespace torsion::testing
