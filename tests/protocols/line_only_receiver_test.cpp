#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/protocols/line_only_receiver.hpp>
#include <torsion/testing/chunking.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;
using testing::StringTransport;

namespace {

using Strings = std::vector<std::string>;

class Recorder : public LineOnlyReceiver {
public:
    Strings events;
    std::function<void(const std::string&)> atLine;

    void lineReceived(BytesView line) override {
        const std::string before(line);
        events.push_back("l:" + before);
        if (atLine) atLine(before);
        CHECK(line == before);
    }
    void lineLengthExceeded(BytesView line) override {
        events.push_back("x:" + std::string(line));
        LineOnlyReceiver::lineLengthExceeded(line);
    }
};

struct Fixture {
    std::shared_ptr<StringTransport> transport = std::make_shared<StringTransport>();
    std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
    Fixture() { protocol->makeConnection(transport); }
    void receive(const std::string& data) {
        const std::vector<char> copy(data.begin(), data.end());
        protocol->dataReceived(BytesView(copy.data(), copy.size()));
    }
};

}  // namespace

TEST_CASE("LineOnlyReceiver finds lines wherever they are cut, and sends them in one write (LR-9)") {
    Fixture f;
    f.receive("one\r");
    f.receive("\n\r\ntwo\r\nthr");
    f.receive("ee\r\n");
    CHECK(f.protocol->events == Strings{"l:one", "l:", "l:two", "l:three"});
    f.protocol->sendLine("out");
    CHECK(f.transport->value() == "out\r\n");
    CHECK(f.transport->writes() == 1);
}

TEST_CASE("a longest line is fine also when its delimiter is cut: limit-1, limit, limit+1 (LR-9, D9)") {
    for (const std::size_t length : {16383U, 16384U, 16385U}) {
        for (const bool cutUp : {false, true}) {
            Fixture f;
            const std::string line(length, 'a');
            f.receive(cutUp ? line + "\r" : line + "\r\n");
            if (cutUp && length <= 16384) f.receive("\n");
            CHECK(f.transport->disconnecting() == (length > 16384));
            CHECK(f.protocol->events.size() == 1);
        }
    }
    Fixture f;
    f.receive(std::string(16385, 'a'));
    CHECK(!f.transport->disconnecting());
    f.receive("a");
    CHECK(f.transport->disconnecting());
}

TEST_CASE("lineLengthExceeded of a LineOnlyReceiver gets the line (LR-9)") {
    Fixture f;
    f.protocol->MAX_LENGTH = 3;
    f.receive("abc\r\nabcd\r\nnext\r\n");
    CHECK(f.protocol->events == Strings{"l:abc", "x:abcd"});
    CHECK(f.transport->disconnecting());
}

TEST_CASE("a LineOnlyReceiver drops the lines behind loseConnection (LR-6)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "bye") f.transport->loseConnection();
    };
    f.receive("a\r\nbye\r\nb\r\n");
    CHECK(f.protocol->events == Strings{"l:a", "l:bye"});
}

TEST_CASE("dataReceived inside lineReceived of a LineOnlyReceiver only appends (LR-8)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "a") f.receive("c\r\n");
    };
    f.receive("a\r\nb\r\n");
    CHECK(f.protocol->events == Strings{"l:a", "l:b", "l:c"});
}

TEST_CASE("a LineOnlyReceiver gives up what it has not interpreted (STL-2)") {
    Fixture f;
    Bytes taken;
    f.protocol->atLine = [&](const std::string&) { taken = f.protocol->takeUnprocessed(); };
    f.receive("a\r\nb\r\nc");
    CHECK(f.protocol->events == Strings{"l:a"});
    CHECK(taken == "b\r\nc");
}

TEST_CASE("an exception leaves a LineOnlyReceiver behind the line that threw (TR-13)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "bad") throw ValueError("bad line");
    };
    CHECK_THROWS_AS(f.receive("bad\r\nnext\r\n"), ValueError);
    f.receive("");
    CHECK(f.protocol->events == Strings{"l:bad", "l:next"});
}

TEST_CASE("lines of a LineOnlyReceiver obey the chunking law (LR-9)") {
    class Lines : public LineOnlyReceiver {
    public:
        explicit Lines(std::shared_ptr<testing::EventRecorder> r) : recorder(std::move(r)) { delimiter = "\n\n"; }
        void lineReceived(BytesView line) override { recorder->event(std::string(line)); }
        std::shared_ptr<testing::EventRecorder> recorder;
    };
    const auto make = [](std::shared_ptr<testing::EventRecorder> r) { return std::make_shared<Lines>(std::move(r)); };
    testing::checkProtocolChunkingLaw("a\n\n\n\nb\n\n\nc", make);
    testing::checkProtocolChunkingLaw("one\n\ntwo\nthree\n\n\n\n\nfour\n\n", make);
}
