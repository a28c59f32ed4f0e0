#pragma once

#include <cstddef>

#include <torsion/core/protocol.hpp>
#include <torsion/protocols/line_buffer.hpp>

namespace torsion {

/// Lines and nothing else: no raw mode, no pausing (twisted.protocols.basic.LineOnlyReceiver, LR-9).
/// Limits are LineReceiver's (D9). Derive, and override lineReceived.
class LineOnlyReceiver : public Protocol {
public:
    /// What ends a line. May be changed at any time; holds from the next line on. Never comes if it is empty.
    Bytes delimiter = "\r\n";

    /// The longest line allowed, in octets and without its delimiter. May be changed at any time.
    // NOLINTNEXTLINE: Twisted's name
    std::size_t MAX_LENGTH = 16384;

    /// A line came. After loseConnection no more come. @param line without its delimiter; dies when this returns
    virtual void lineReceived(BytesView line) = 0;

    /// The peer sent a line that is too long, or MAX_LENGTH and the length of a delimiter without one. Closes the
    /// connection unless overridden. What was received behind it is dropped. @param line the line without its
    /// delimiter, or what came of it
    virtual void lineLengthExceeded(BytesView line);

    /// Sends @p line and the delimiter, in one write. A delimiter inside @p line is not looked for.
    void sendLine(BytesView line) { detail::writeLine(transport(), line, delimiter); }

    Bytes takeUnprocessed() override;

    /// For the transport. Called from inside lineReceived it only buffers.
    void dataReceived(BytesView data) override;

private:
    void interpret();
    bool interpretLine();  ///< false if there is no whole line

    detail::LineBuffer buffer_;
    bool busy_ = false;
};

}  // namespace torsion
