#include <torsion/protocols/line_only_receiver.hpp>

namespace torsion {

void LineOnlyReceiver::lineLengthExceeded(BytesView) { transport().loseConnection(); }

void LineOnlyReceiver::dataReceived(BytesView data) {
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

void LineOnlyReceiver::interpret() {
    while (!buffer_.empty()) {
        if (transport().disconnecting()) {
            buffer_.discardAll();
        } else if (BytesView line; buffer_.takeLent(delimiter, MAX_LENGTH, line)) {
            lineReceived(line);
        } else if (!interpretLine()) {
            return;
        }
    }
}

bool LineOnlyReceiver::interpretLine() {
    const std::size_t length = buffer_.findLine(delimiter);
    const bool found = length != detail::LineBuffer::npos;
    if ((found ? length : buffer_.leastLength(delimiter)) > MAX_LENGTH) {
        const BytesView all = buffer_.takeAll();
        lineLengthExceeded(found ? all.substr(0, length) : all);
    } else if (found) {
        lineReceived(buffer_.takeLine(length, delimiter.size()));
    } else {
        return false;
    }
    return true;
}

Bytes LineOnlyReceiver::takeUnprocessed() {
    Bytes all = buffer_.removeAll();
    if (!busy_) buffer_.settle();
    return all;
}

}  // namespace torsion
