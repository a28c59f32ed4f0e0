#include <torsion/protocols/line_receiver.hpp>

#include <torsion/core/error.hpp>

namespace torsion {

void LineReceiver::rawDataReceived(BytesView) {
    throw RuntimeError("A LineReceiver in raw mode needs rawDataReceived to be overridden");
}

void LineReceiver::lineLengthExceeded(BytesView) { transport().loseConnection(); }

void LineReceiver::sendLine(BytesView line) {
    if (const BytesView whole = buffer_.asReceived(line, delimiter); !whole.empty()) return transport().write(whole);
    detail::writeLine(transport(), line, delimiter);
}

void LineReceiver::dataReceived(BytesView data) {
    if (busy_) {
        buffer_.append(data);
        return;
    }
    buffer_.lend(data);
    busy_ = true;
    try {
        interpret();
        buffer_.settle();
    } catch (...) {
        busy_ = false;
        buffer_.settle();
        throw;
    }
    busy_ = false;
}

void LineReceiver::interpret() {
    while (!paused_ && !buffer_.empty()) {
        if (transport().disconnecting()) {  // LR-6
            buffer_.discardAll();
        } else if (!lineMode_) {
            rawDataReceived(buffer_.takeAll());
        } else if (BytesView line; buffer_.takeLent(delimiter, MAX_LENGTH, line)) {
            lineReceived(line);
        } else if (!interpretLine()) {
            return;
        }
    }
}

bool LineReceiver::interpretLine() {
    const std::size_t length = buffer_.findLine(delimiter);
    const bool found = length != detail::LineBuffer::npos;
    if ((found ? length : buffer_.leastLength(delimiter)) > MAX_LENGTH) {
        lineLengthExceeded(buffer_.takeAll());
    } else if (found) {
        lineReceived(buffer_.takeLine(length, delimiter.size()));
    } else {
        return false;
    }
    return true;
}

Bytes LineReceiver::takeUnprocessed() {
    Bytes all = buffer_.removeAll();
    if (!busy_) buffer_.settle();
    return all;
}

void LineReceiver::setLineMode(BytesView extra) {
    lineMode_ = true;
    if (extra.empty()) return;
    if (busy_) {
        buffer_.giveBack(extra);
    } else {
        dataReceived(extra);
    }
}

void LineReceiver::pauseProducing() {
    paused_ = true;
    transport().pauseProducing();
}

void LineReceiver::resumeProducing() {
    paused_ = false;
    transport().resumeProducing();
    if (connected()) LineReceiver::dataReceived({});  // connectionLost was the last callback
}

void LineReceiver::stopProducing() {
    paused_ = true;
    transport().stopProducing();
}

}  // namespace torsion
