#pragma once

#include <cstddef>
#include <memory>

#include <torsion/core/producer.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/protocols/line_buffer.hpp>

namespace torsion {

/// Lines, and raw octets between them (twisted.protocols.basic.LineReceiver). Derive, and override lineReceived.
///
/// In line mode, with which it starts, each line becomes one lineReceived, however the octets are cut on their way
/// (LR-1). In raw mode they go to rawDataReceived as they come. The time taken is linear in the octets (D10).
///
/// The callbacks may call everything here and on the transport. After loseConnection, abortConnection or startTLS in a
/// callback, what came behind the line at hand is not interpreted any more. As a producer it can be registered with
/// another transport, by asProducer().
class LineReceiver : public Protocol, public Producer {
public:
    /// What ends a line. May be changed at any time; holds from the next line on. Never comes if it is empty.
    Bytes delimiter = "\r\n";

    /// The longest line allowed, in octets and without its delimiter (LR-2). May be changed at any time.
    // NOLINTNEXTLINE: Twisted's name
    std::size_t MAX_LENGTH = 16384;

    /// A line came. @param line without its delimiter; may be empty; dies when this returns
    virtual void lineReceived(BytesView line) = 0;

    /// Octets came in raw mode, at least one. @param data dies when this returns
    /// @throws RuntimeError unless overridden
    virtual void rawDataReceived(BytesView data);

    /// The peer sent a line that is too long, or MAX_LENGTH and the length of a delimiter without one (LR-2). Closes
    /// the connection unless overridden. @param line all that was received from the begin of that line on, which is
    /// gone from the buffer (LR-3)
    virtual void lineLengthExceeded(BytesView line);

    /// Sends @p line and the delimiter, in one write. A delimiter inside @p line is not looked for.
    void sendLine(BytesView line);

    /// From now on octets go to rawDataReceived: the rest of what is buffered in one call, after the present one
    /// (LR-4).
    void setRawMode() noexcept { lineMode_ = false; }

    /// From now on octets are lines. @param extra from rawDataReceived, the octets that are not raw any more:
    /// interpreted before all that comes later. The end of that call's data is not copied.
    void setLineMode(BytesView extra = {});

    bool lineMode() const noexcept { return lineMode_; }

    /// Empties the buffer. @return what was in it
    Bytes clearLineBuffer() { return LineReceiver::takeUnprocessed(); }

    Bytes takeUnprocessed() override;

    /// Stops callbacks at once, even within one delivery (LR-5), and the transport's reading.
    void pauseProducing() override;

    /// Goes on, first with what is buffered: from inside this call, unless a callback is running already.
    void resumeProducing() override;

    /// Closes the connection; no more callbacks for data.
    void stopProducing() override;

    bool paused() const noexcept { return paused_; }

    /// This protocol as a push producer for another consumer.
    std::shared_ptr<Producer> asProducer() { return {shared_from_this(), static_cast<Producer*>(this)}; }

    /// For the transport. Called from inside a callback it only buffers (LR-8).
    void dataReceived(BytesView data) override;

private:
    void interpret();
    bool interpretLine();  ///< false if there is no whole line

    detail::LineBuffer buffer_;
    bool lineMode_ = true;
    bool paused_ = false;
    bool busy_ = false;
};

}  // namespace torsion
