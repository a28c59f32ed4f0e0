/// LineReceiver and LineOnlyReceiver under the chunking law: the same octets, whole and cut, give the same events.

#include <torsion/protocols/line_only_receiver.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/chunking.hpp>
#include <torsion/testing/string_transport.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>

namespace torsion::fuzz {

namespace {

struct Settings {
    Bytes delimiter;
    std::size_t longest = 0;
    bool only = false;  ///< LineOnlyReceiver
};

/// Lines are commands, too: R and a digit, so many raw octets follow; D and a delimiter; L, the longest line becomes
/// shorter; P, a pause; Q, the end; C, what is buffered is given up; W, an answer.
class Receiver : public LineReceiver {
public:
    Receiver(const Settings& settings, testing::EventRecorder& events) : events_(events) {
        delimiter = settings.delimiter;
        MAX_LENGTH = settings.longest;
    }

    void lineReceived(BytesView line) override {
        require(!ended && !paused(), "a line came after the end, or in a pause");
        require(line.size() <= longest(), "a line came that is too long");
        require(delimiter.empty() || line.find(delimiter) == Bytes::npos, "a delimiter in a line");
        events_.event("line " + Bytes(line));
        if (line.empty()) return;
        const BytesView rest = line.substr(1);
        switch (line.front()) {
            case 'R':
                raw_ = rest.empty() ? 1 : std::size_t{static_cast<unsigned char>(rest.front())};
                if (raw_ > 0) setRawMode();
                break;
            case 'D': delimiter = Bytes(rest); break;
            case 'L': MAX_LENGTH /= 2; break;
            case 'P': pauseProducing(); break;
            case 'W': sendLine(rest); break;
            case 'Q':
                ended = true;
                transport().loseConnection();
                break;
            default: break;
        }
    }

    void rawDataReceived(BytesView data) override {
        require(!ended && !paused(), "raw data came after the end, or in a pause");
        require(!data.empty() && raw_ > 0, "raw data came that is empty or not asked for");
        const BytesView mine = data.substr(0, raw_);
        events_.data("raw", mine);
        raw_ -= mine.size();
        if (raw_ == 0) setLineMode(data.substr(mine.size()));
    }

    void lineLengthExceeded(BytesView line) override {
        require(!ended, "a line is too long after the end");
        require(line.size() > MAX_LENGTH, "a line is called too long and is not");
        events_.event("too long");
        ended = true;
        LineReceiver::lineLengthExceeded(line);
    }

    bool ended = false;

private:
    std::size_t longest() const noexcept { return MAX_LENGTH; }

    testing::EventRecorder& events_;
    std::size_t raw_ = 0;
};

class OnlyReceiver : public LineOnlyReceiver {
public:
    OnlyReceiver(const Settings& settings, testing::EventRecorder& events) : events_(events) {
        delimiter = settings.delimiter;
        MAX_LENGTH = settings.longest;
    }
    void lineReceived(BytesView line) override {
        require(!ended, "a line came after the end");
        require(line.size() <= MAX_LENGTH, "a line came that is too long");
        events_.event("line " + Bytes(line));
        if (line == "Q") {
            ended = true;
            transport().loseConnection();
        } else if (line.substr(0, 1) == "D") {
            delimiter = Bytes(line.substr(1));
        }
    }
    void lineLengthExceeded(BytesView line) override {
        require(!ended && line.size() > MAX_LENGTH, "a line is called too long and is not, or after the end");
        events_.event("too long");
        ended = true;
        LineOnlyReceiver::lineLengthExceeded(line);
    }
    bool ended = false;

private:
    testing::EventRecorder& events_;
};

template <class P>
std::vector<std::string> eventsOf(const Settings& settings, BytesView octets, BytesView cuts) {
    testing::EventRecorder events;
    const auto transport = std::make_shared<testing::StringTransport>();
    transport->setLenient(true);
    const auto protocol = std::make_shared<P>(settings, events);
    protocol->makeConnection(transport);
    Input sizes(cuts);
    while (!octets.empty() && !protocol->ended) {
        const std::size_t size = sizes.empty() ? octets.size() : 1 + sizes.upTo(31);
        const Bytes piece(octets.substr(0, size));  // memory of its own, so that a view kept too long is noticed
        octets.remove_prefix(piece.size());
        protocol->dataReceived(piece);
        if constexpr (std::is_same_v<P, Receiver>) {
            for (int resumes = 0; protocol->paused() && !protocol->ended; ++resumes) {
                require(resumes < 1 << 17, "pauses without end");
                events.event("resume");
                protocol->resumeProducing();
            }
        }
    }
    events.event(protocol->ended ? "closed" : "open, unprocessed: " + protocol->takeUnprocessed());
    events.event("wrote " + transport->value());
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    return events.events();
}

template <class P>
void compare(const Settings& settings, BytesView octets, BytesView cuts) {
    const auto whole = eventsOf<P>(settings, octets, {});
    const auto cut = eventsOf<P>(settings, octets, cuts);
    for (std::size_t i = 0; i < whole.size() && i < cut.size(); ++i) {
        if (whole[i] == cut[i]) continue;
        std::fprintf(stderr, "event %zu\n  whole: %s\n  cut:   %s\n", i, whole[i].c_str(), cut[i].c_str());
        break;
    }
    require(whole == cut, "the chunking law");
}

}  // namespace

/// The input: an octet of choices, one for the longest line, one for how many sizes of pieces follow, these, and the
/// octets that are received.
void run(BytesView octets) {
    Input input(octets);
    const std::uint8_t choices = input.octet();
    constexpr BytesView kDelimiters[] = {"\r\n", "\n", BytesView("\0", 1), "aab"};
    Settings settings;
    settings.only = (choices & 1U) != 0;
    settings.delimiter = kDelimiters[choices >> 1U & 3U];
    settings.longest = input.octet();
    const BytesView cuts = input.take(1 + input.upTo(63));
    const BytesView received = input.rest();
    settings.only ? compare<OnlyReceiver>(settings, received, cuts) : compare<Receiver>(settings, received, cuts);
}

std::vector<Bytes> seeds() {
    std::vector<Bytes> made;
    for (const char choices : {'\0', '\1', '\2', '\3'}) {
        const Bytes end = (choices & 2) != 0 ? "\n" : "\r\n";
        const Bytes start = Bytes{choices, '\x10', '\3', '\1', '\2', '\0', '\5'};
        made.push_back(start + "one" + end + "two" + end + end + "three");
        made.push_back(start + "R\4" + end + "rawline" + end + "Q" + end + "not this");
        made.push_back(start + "P" + end + "W back" + end + "L" + end + "0123456789abcdef" + end);
        made.push_back(start + "D;" + end + "a;b;c;D" + "\r\n;" + "x" + "\r\n" + "0123456789abcdefg" + end);
        made.push_back(start + Bytes(40, 'x'));
    }
    return made;
}

}  // namespace torsion::fuzz
