#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/chunking.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;
using testing::StringTransport;

namespace {

using Strings = std::vector<std::string>;

/// Records lines as "l:...", raw data as "r:...", too long lines as "x:...", and does what it is told to at a line.
class Recorder : public LineReceiver {
public:
    Strings events;
    std::function<void(const std::string&)> atLine;
    std::function<void(BytesView)> atRaw;

    void lineReceived(BytesView line) override {
        const std::string before(line);
        events.push_back("l:" + before);
        if (atLine) atLine(before);
        CHECK(line == before);  // the view lives as long as the call, whatever was called meanwhile
    }
    void rawDataReceived(BytesView data) override {
        const std::string before(data);
        events.push_back("r:" + before);
        if (atRaw) atRaw(data);
        CHECK(data == before);
    }
    void lineLengthExceeded(BytesView line) override {
        events.push_back("x:" + std::string(line));
        LineReceiver::lineLengthExceeded(line);
    }
};

struct Fixture {
    std::shared_ptr<StringTransport> transport = std::make_shared<StringTransport>();
    std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
    Fixture() { protocol->makeConnection(transport); }

    void receive(const std::string& data) {
        const std::vector<char> copy(data.begin(), data.end());  // dies with the call, as a read buffer's content does
        protocol->dataReceived(BytesView(copy.data(), copy.size()));
    }
    void dribble(const std::string& data) {
        for (const char c : data) receive(std::string(1, c));
    }
    const Strings& events() const { return protocol->events; }
};

std::string as(std::size_t count) { return std::string(count, 'a'); }

}  // namespace

TEST_CASE("lines are found wherever the delimiter is cut, empty ones too (LR-1)") {
    Fixture f;
    f.receive("one\r");
    f.receive("\ntwo\r\n\r\n");
    f.receive("\r");
    f.receive("\nthree");
    CHECK(f.events() == Strings{"l:one", "l:two", "l:", "l:"});
    f.dribble("\r\na\rb\nc\r\n");
    CHECK(f.events() == Strings{"l:one", "l:two", "l:", "l:", "l:three", "l:a\rb\nc"});
}

TEST_CASE("a delimiter of any length works, and a change of it holds from the next line on (LR-1)") {
    Fixture f;
    f.protocol->delimiter = "<end>";
    f.dribble("a<en<end>b<<end>");
    CHECK(f.events() == Strings{"l:a<en", "l:b<"});
    f.protocol->atLine = [&](const std::string&) { f.protocol->delimiter = "\n"; };
    f.receive("c<end>d<end>e\nf\n");
    CHECK(f.events() == Strings{"l:a<en", "l:b<", "l:c", "l:d<end>e", "l:f"});

    SUBCASE("also if what is buffered was searched for the old one") {
        f.receive("x;y");
        f.protocol->delimiter = ";";
        f.receive("");
        f.receive("z");
        CHECK(f.events().back() == "l:x");
    }
    SUBCASE("an empty one never comes") {
        f.protocol->delimiter = "";
        f.protocol->MAX_LENGTH = 10;
        f.receive(as(10));
        CHECK(f.events().back() == "l:f");
        f.receive("a");
        CHECK(f.events().back() == "x:" + as(11));
    }
}

TEST_CASE("the line limit is exact for whole lines: limit-1, limit, limit+1 (LR-2)") {
    for (const bool cutUp : {false, true}) {
        for (const std::size_t length : {16383U, 16384U, 16385U}) {
            Fixture f;
            const std::string line = as(length);
            if (cutUp) {
                f.receive(line);
                f.receive("\r");
                f.receive("\n");
            } else {
                f.receive(line + "\r\n");
            }
            const bool fine = length <= 16384;
            REQUIRE(f.events().size() == 1);
            CHECK(f.events()[0].front() == (fine ? 'l' : 'x'));
            CHECK(f.transport->disconnecting() == !fine);
        }
    }
}

TEST_CASE("an unfinished line exceeds at the limit and the delimiter's length (LR-2)") {
    for (const std::size_t length : {16384U, 16385U, 16386U}) {
        Fixture f;
        f.receive(as(length));
        CHECK(f.events().empty() == (length < 16386));
        CHECK(f.transport->disconnecting() == (length == 16386));
    }
    Fixture f;
    f.protocol->MAX_LENGTH = 3;
    f.receive("abcd");
    f.receive("\r\n");
    CHECK(f.events() == Strings{"x:abcd\r\n"});

    Fixture unlimited;
    unlimited.protocol->MAX_LENGTH = std::string::npos;  // does not wrap round
    unlimited.receive(as(100000));
    CHECK(unlimited.events().empty());
}

TEST_CASE("lineLengthExceeded gets all that is left, and what is left is not interpreted (LR-3)") {
    Fixture f;
    f.protocol->MAX_LENGTH = 5;
    f.receive("ok\r\nto");
    f.receive("o long\r\nnext\r\nrest");
    CHECK(f.events() == Strings{"l:ok", "x:too long\r\nnext\r\nrest"});
    CHECK(f.transport->disconnecting());
    CHECK(f.protocol->clearLineBuffer().empty());
}

TEST_CASE("setRawMode gives the rest of the buffer to rawDataReceived in one call (LR-4)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "raw") f.protocol->setRawMode();
    };
    f.receive("a\r\nraw\r\nb\r\nc");
    f.receive("d\r\n");
    CHECK(f.events() == Strings{"l:a", "l:raw", "r:b\r\nc", "r:d\r\n"});

    Fixture g;  // with a part of a line in the buffer
    g.receive("part");
    g.protocol->setRawMode();
    g.receive("more");
    CHECK(g.events() == Strings{"r:partmore"});
}

TEST_CASE("setLineMode puts its extra octets before what comes later (LR-4)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "raw") f.protocol->setRawMode();
    };
    f.protocol->atRaw = [&](BytesView data) {
        if (const auto end = data.find('.'); end != BytesView::npos) f.protocol->setLineMode(data.substr(end + 1));
    };
    f.receive("raw\r\n12.one\r\ntw");
    f.receive("o\r\nraw\r\n34");
    f.receive(".three\r\n");
    CHECK(f.events() ==
          Strings{"l:raw", "r:12.one\r\ntw", "l:one", "l:two", "l:raw", "r:34", "r:.three\r\n", "l:three"});

    SUBCASE("extra that is not the end of the data at hand") {
        f.protocol->setRawMode();
        f.protocol->atRaw = [&](BytesView) { f.protocol->setLineMode("made up\r\n"); };
        f.receive("x");
        f.receive("y\r\n");
        CHECK(Strings(f.events().end() - 3, f.events().end()) == Strings{"r:x", "l:made up", "l:y"});
    }
    SUBCASE("extra twice is interpreted twice") {
        f.protocol->setRawMode();
        f.protocol->atRaw = [&](BytesView data) {
            f.protocol->setLineMode(data);
            f.protocol->setLineMode(data);
        };
        f.receive("z\r\n");
        CHECK(Strings(f.events().end() - 3, f.events().end()) == Strings{"r:z\r\n", "l:z", "l:z"});
    }
    SUBCASE("from outside a callback it is interpreted at once") {
        f.protocol->setRawMode();
        f.protocol->setLineMode("now\r\n");
        CHECK(f.events().back() == "l:now");
    }
}

TEST_CASE("switching modes takes no stack and no copying, however often (LR-4, LR-10, D10)") {
    Fixture f;
    std::size_t lines = 0;
    f.protocol->atLine = [&](const std::string&) {
        ++lines;
        f.protocol->events.clear();
        f.protocol->setRawMode();
    };
    f.protocol->atRaw = [&](BytesView data) {
        f.protocol->events.clear();
        f.protocol->setLineMode(data.substr(1));
    };
    std::string input;
    for (int i = 0; i < 5000; ++i) input += "l\r\n.";
    f.receive(input);
    CHECK(lines == 5000);
}

TEST_CASE("rawDataReceived must be overridden by who uses it") {
    class Plain : public LineReceiver {
        void lineReceived(BytesView) override {}
    };
    const auto protocol = std::make_shared<Plain>();
    protocol->makeConnection(std::make_shared<StringTransport>());
    protocol->setRawMode();
    CHECK_THROWS_AS(protocol->dataReceived("x"), RuntimeError);
}

TEST_CASE("pausing stops the lines of one delivery at once, and resuming goes on with the next (LR-5)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string&) { f.protocol->pauseProducing(); };
    f.receive("a\r\nb\r\nc\r\nd");
    CHECK(f.events() == Strings{"l:a"});
    CHECK(f.protocol->paused());
    CHECK(f.transport->producerState() == StringTransport::ProducerState::paused);
    f.protocol->resumeProducing();
    CHECK(f.events() == Strings{"l:a", "l:b"});
    f.receive("x");  // a transport below may still have had some
    f.protocol->resumeProducing();
    CHECK(f.events() == Strings{"l:a", "l:b", "l:c"});
    f.protocol->atLine = nullptr;
    f.protocol->resumeProducing();
    CHECK(f.transport->producerState() == StringTransport::ProducerState::producing);
    f.receive("\r\n");
    CHECK(f.events() == Strings{"l:a", "l:b", "l:c", "l:dx"});
}

TEST_CASE("pausing works in raw mode, and resuming drains without recursion (LR-5)") {
    Fixture f;
    f.protocol->setRawMode();
    f.protocol->pauseProducing();
    f.receive("data");
    CHECK(f.events().empty());
    f.protocol->resumeProducing();
    CHECK(f.events() == Strings{"r:data"});

    Fixture g;  // pause and resume inside each of many callbacks
    int depth = 0;
    int deepest = 0;
    g.protocol->atLine = [&](const std::string&) {
        deepest = std::max(deepest, ++depth);
        g.protocol->pauseProducing();
        g.protocol->resumeProducing();
        --depth;
    };
    std::string input;
    for (int i = 0; i < 10000; ++i) input += "\r\n";
    g.receive(input);
    CHECK(g.events().size() == 10000);
    CHECK(deepest == 1);
}

TEST_CASE("stopProducing ends the callbacks and closes (LR-5)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string&) { f.protocol->stopProducing(); };
    f.receive("a\r\nb\r\n");
    CHECK(f.events() == Strings{"l:a"});
    CHECK(f.transport->producerState() == StringTransport::ProducerState::stopped);
}

TEST_CASE("a LineReceiver is a producer for another transport (LR-5)") {
    Fixture f;
    StringTransport other;
    other.registerProducer(f.protocol->asProducer(), true);
    other.producer()->pauseProducing();
    f.receive("a\r\n");
    CHECK(f.events().empty());
    other.producer()->resumeProducing();
    CHECK(f.events() == Strings{"l:a"});
}

TEST_CASE("after loseConnection in a callback the remaining lines are dropped (LR-6)") {
    Fixture f;
    f.transport->setLenient(true);
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "bye") f.protocol->transport().loseConnection();
    };
    f.receive("a\r\nbye\r\nb\r\nc\r\n");
    CHECK(f.events() == Strings{"l:a", "l:bye"});
    f.protocol->resumeProducing();
    CHECK(f.events() == Strings{"l:a", "l:bye"});

    SUBCASE("also those that wait behind a pause when it comes") {
        Fixture g;
        g.transport->setLenient(true);
        g.protocol->atLine = [&](const std::string&) { g.protocol->pauseProducing(); };
        g.receive("a\r\nb\r\n");
        g.transport->loseConnection();
        g.protocol->resumeProducing();
        CHECK(g.events() == Strings{"l:a"});
    }
    SUBCASE("and raw data") {
        Fixture g;
        g.protocol->atLine = [&](const std::string&) {
            g.protocol->setRawMode();
            g.protocol->transport().abortConnection();
        };
        g.receive("a\r\nraw");
        CHECK(g.events() == Strings{"l:a"});
    }
}

TEST_CASE("no line comes after connectionLost, even by resuming (CL-1, LR-5)") {
    Fixture f;
    f.protocol->pauseProducing();
    f.receive("a\r\n");
    f.protocol->deliverConnectionLost(failureOf<ConnectionDone>());
    f.protocol->resumeProducing();
    CHECK(f.events().empty());
}

TEST_CASE("dataReceived inside a callback only appends (LR-8)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line != "a") return;
        f.receive("inner");
        CHECK(f.events() == Strings{"l:a"});
        f.receive("most\r\n");
        CHECK(f.events() == Strings{"l:a"});
    };
    SUBCASE("while the line lies in the delivery") {
        f.receive("a\r\nb\r\nc");
        CHECK(f.events() == Strings{"l:a", "l:b", "l:cinnermost"});
    }
    SUBCASE("while the line lies in the buffer") {
        f.receive("a\r");
        f.receive("\nb\r\nc");
        CHECK(f.events() == Strings{"l:a", "l:b", "l:cinnermost"});
    }
}

TEST_CASE("clearLineBuffer in a callback drops what follows, and gives it") {
    for (const bool buffered : {false, true}) {
        Fixture f;
        Bytes cleared;
        f.protocol->atLine = [&](const std::string& line) {
            if (line == "a") cleared = f.protocol->clearLineBuffer();
        };
        if (buffered) f.receive("a\r");
        f.receive(buffered ? "\nb\r\nc" : "a\r\nb\r\nc");
        f.receive("d\r\n");
        CHECK(cleared == "b\r\nc");
        CHECK(f.events() == Strings{"l:a", "l:d"});
    }
}

TEST_CASE("takeUnprocessed gives and removes what startTLS must not see as a line (STL-2)") {
    // However "go\r\n" and what follows are cut, what is taken and what is seen is the same.
    testing::checkChunkingLaw("hi\r\ngo\r\nbad", [](const std::vector<BytesView>& pieces) {
        Fixture f;
        Bytes taken;
        bool upgraded = false;
        f.protocol->atLine = [&](const std::string& line) {
            if (line != "go") return;
            f.receive("!");  // even what a callback adds
            taken += f.protocol->takeUnprocessed();
            upgraded = true;
        };
        for (const BytesView piece : pieces) {
            if (upgraded) {
                taken += piece;  // now TLS gets it
            } else {
                f.receive(std::string(piece));
            }
        }
        std::sort(taken.begin(), taken.end());
        Strings events = f.events();
        events.push_back(taken);
        CHECK(events == Strings{"l:hi", "l:go", "!abd"});
        return events;
    });

    Fixture f;
    f.receive("partial");
    CHECK(f.protocol->takeUnprocessed() == "partial");
    f.receive("line\r\n");
    CHECK(f.events() == Strings{"l:line"});
}

TEST_CASE("an exception leaves the receiver usable, behind the line that threw (TR-13)") {
    Fixture f;
    f.protocol->atLine = [&](const std::string& line) {
        if (line == "bad") throw ValueError("bad line");
    };
    CHECK_THROWS_AS(f.receive("bad\r\nnext\r\n"), ValueError);
    CHECK(f.events() == Strings{"l:bad"});
    f.receive("");
    CHECK(f.events() == Strings{"l:bad", "l:next"});
}

TEST_CASE("sendLine adds the delimiter, in one write") {
    Fixture f;
    f.protocol->sendLine("hello");
    CHECK(f.transport->value() == "hello\r\n");
    CHECK(f.transport->writes() == 1);
    for (const std::size_t length : {0U, 509U, 510U, 511U, 100000U}) {
        f.transport->clear();
        f.protocol->sendLine(as(length));
        CHECK(f.transport->value() == as(length) + "\r\n");
    }
    CHECK(f.transport->writes() == 6);
}

TEST_CASE("lines and raw data obey the chunking law (LR-1, LR-4)") {
    class Mixed : public LineReceiver {
    public:
        explicit Mixed(std::shared_ptr<testing::EventRecorder> r) : recorder(std::move(r)) {}
        void lineReceived(BytesView line) override {
            recorder->event("line " + std::string(line));
            if (line == "R") {
                left = 3;
                setRawMode();
            }
            if (line == "Q") transport().loseConnection();
        }
        void rawDataReceived(BytesView data) override {
            const BytesView mine = data.substr(0, left);
            recorder->data("raw", mine);
            left -= mine.size();
            if (left == 0) setLineMode(data.substr(mine.size()));
        }
        std::shared_ptr<testing::EventRecorder> recorder;
        std::size_t left = 0;
    };
    const auto make = [](std::shared_ptr<testing::EventRecorder> r) { return std::make_shared<Mixed>(std::move(r)); };
    testing::checkProtocolChunkingLaw("R\r\n1\r\nx\r\n", make);
    testing::checkProtocolChunkingLaw("a\r\n\r\rR\r\n12", make);
    testing::checkProtocolChunkingLaw("Q\r\nnot seen\r\n", make);
    std::string longer;
    for (int i = 0; i < 40; ++i) longer += "line " + std::to_string(i) + "\r\nR\r\n\r\n\r";
    testing::checkProtocolChunkingLaw(longer + "Q\r\nnever\r\n", make);
}

TEST_CASE("input octet by octet takes linear time (LR-10, D10)") {
    const auto timeFor = [](std::size_t octets) {
        Fixture f;
        f.protocol->MAX_LENGTH = octets;
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < octets; ++i) f.protocol->dataReceived("a");
        f.protocol->dataReceived("\r\n");
        CHECK(f.events().size() == 1);
        return std::chrono::steady_clock::now() - begin;
    };
    timeFor(100000);
    // Quadratic input would take 400 times as long.
    CHECK(timeFor(2000000) < 100 * timeFor(100000) + std::chrono::milliseconds(500));
}

TEST_CASE("many lines behind a pause, or with additions, take linear time (LR-10, D10)") {
    Fixture f;
    std::size_t lines = 0;
    f.protocol->atLine = [&](const std::string&) {
        f.protocol->events.clear();
        if (++lines <= 50000) f.protocol->dataReceived("b\r\n");
        f.protocol->pauseProducing();
    };
    std::string input;
    for (int i = 0; i < 50000; ++i) input += "a\r\n";
    f.receive(input);
    while (lines < 100000) f.protocol->resumeProducing();
    CHECK(f.protocol->clearLineBuffer().empty());
}

TEST_CASE("two line receivers talk over any segmentation") {
    class Echo : public LineReceiver {
        void lineReceived(BytesView line) override {
            sendLine(line);
            if (line == "bye") transport().loseConnection();
        }
    };
    for (const testing::Segmentation& cutting :
         {testing::segmentation::whole(), testing::segmentation::byteByByte(), testing::segmentation::random(7),
          testing::segmentation::coalesced()}) {
        const auto client = std::make_shared<Recorder>();
        testing::IOPump pump(client, std::make_shared<Echo>());
        pump.setSegmentation(cutting);
        client->sendLine("hello");
        client->sendLine("");
        client->sendLine("bye");
        client->sendLine("ignored");
        pump.flush();
        CHECK(client->events == Strings{"l:hello", "l:", "l:bye"});
        CHECK(!client->connected());
    }
}

TEST_CASE("a line that is sent back has its delimiter, wherever it lies and whatever the delimiter is by then") {
    const std::string input = "first\r\nsecond\r\n\r\nthird\r\n";
    for (std::size_t size = 1; size <= input.size(); ++size) {
        class Echo : public LineReceiver {
        public:
            void lineReceived(BytesView line) override { sendLine(line); }
        };
        const auto echo = std::make_shared<Echo>();
        const auto transport = std::make_shared<StringTransport>();
        echo->makeConnection(transport);
        for (std::size_t place = 0; place < input.size(); place += size) {
            const std::vector<char> copy(
                input.begin() + static_cast<std::ptrdiff_t>(place),
                input.begin() + static_cast<std::ptrdiff_t>(std::min(place + size, input.size())));
            echo->dataReceived(BytesView(copy.data(), copy.size()));
        }
        CHECK(transport->value() == input);
        transport->clear();
        echo->sendLine("later");
        CHECK(transport->value() == "later\r\n");
    }
    class Changing : public LineReceiver {
    public:
        void lineReceived(BytesView line) override {
            delimiter = "\n";
            sendLine(line);
            sendLine(line.substr(1));
            sendLine(line.substr(0, 1));
        }
    };
    const auto changing = std::make_shared<Changing>();
    const auto transport = std::make_shared<StringTransport>();
    changing->makeConnection(transport);
    changing->dataReceived("ab\r\ncd\nef\n");
    CHECK(transport->value() == "ab\nb\na\ncd\nd\nc\nef\nf\ne\n");
}
