#pragma once

// Private to the tls folder. Not installed.

#include <memory>

#include <torsion/core/producer.hpp>
#include <torsion/core/transport.hpp>

namespace torsion {

/// Stands between an application's producer and the transport below TLS (_ProducerMembrane, _PullToPush of Twisted).
/// Two sides may want it paused, the transport below and the handshake; the producer hears only the changes of the sum
/// (PC-8). A pull producer is driven from here as if it pushed, because TLS cannot tell when a piece has left (PC-9).
class ProducerMembrane final : public Producer, public std::enable_shared_from_this<ProducerMembrane> {
public:
    /// @param consumer the TLS layer; must outlive this or detach it
    ProducerMembrane(Transport& consumer, std::shared_ptr<Producer> original, bool streaming) noexcept;

    /// Begins to drive a pull producer.
    void start();

    /// Whether the layer itself cannot take data now.
    void setWaiting(bool waiting);

    /// Nothing goes through any more.
    void detach() noexcept;

    // From the transport below.
    void pauseProducing() override;
    void resumeProducing() override;
    void stopProducing() override;

private:
    void update();
    void pull();
    void schedulePull();

    Transport* consumer_;
    std::shared_ptr<Producer> original_;
    bool streaming_;
    bool belowFull_ = false;
    bool waiting_ = false;
    bool paused_ = false;
    bool pullScheduled_ = false;
};

}  // namespace torsion
