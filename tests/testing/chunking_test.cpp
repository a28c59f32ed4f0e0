#include <doctest/doctest.h>

#include <set>
#include <string>

#include <torsion/testing/chunking.hpp>

using namespace torsion;
using testing::checkChunkingLaw;
using testing::checkProtocolChunkingLaw;
using testing::ChunkingOptions;
using testing::ChunkingViolation;
using testing::EventRecorder;

namespace {

using Strings = std::vector<std::string>;

std::string joined(const std::vector<BytesView>& pieces) {
    std::string text;
    for (const BytesView piece : pieces) (text += piece) += '|';
    return text;
}

}  // namespace

TEST_CASE("a short input is cut in every way there is") {
    std::multiset<std::string> seen;
    checkChunkingLaw("abcd", [&](const std::vector<BytesView>& pieces) {
        seen.insert(joined(pieces));
        return Strings{"same"};
    });
    CHECK(seen == std::multiset<std::string>{"abcd|", "a|bcd|", "ab|cd|", "abc|d|", "a|b|cd|", "a|bc|d|", "ab|c|d|",
                                             "a|b|c|d|"});
}

TEST_CASE("a long input is cut octet by octet, in two at each place, and at random from a seed") {
    const std::string input(40, 'x');
    const auto run = [&](std::uint32_t seed) {
        std::vector<std::string> cuts;
        ChunkingOptions options;
        options.randomCuts = 50;
        options.seed = seed;
        checkChunkingLaw(
            input,
            [&](const std::vector<BytesView>& pieces) {
                cuts.push_back(joined(pieces));
                std::string all;
                for (const BytesView piece : pieces) all += piece;
                CHECK(all == input);
                return Strings{};
            },
            options);
        return cuts;
    };
    CHECK(run(1).size() == 1 + 1 + 39 + 50);
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
}

TEST_CASE("a violation tells the cut, the seed, and both outcomes") {
    const auto countsPieces = [](const std::vector<BytesView>& pieces) {
        return Strings{std::to_string(pieces.size())};
    };
    CHECK_THROWS_AS(checkChunkingLaw("ab", countsPieces), ChunkingViolation);
    std::string text;
    try {
        checkChunkingLaw(std::string(20, 'x'), [](const std::vector<BytesView>& pieces) {
            return Strings{pieces.size() == 1 || pieces.size() == 20 || pieces.size() == 2 ? "good" : "evil"};
        });
    } catch (const ChunkingViolation& violation) {
        text = violation.what();
    }
    CHECK(text.find("seed 1, at") != std::string::npos);
    CHECK(text.find("good") != std::string::npos);
    CHECK(text.find("evil") != std::string::npos);
}

TEST_CASE("a recorder joins what comes of one stream, and nothing else") {
    EventRecorder recorder;
    recorder.data("raw", "a");
    recorder.data("raw", "b");
    recorder.data("other", "c");
    recorder.data("raw", "d");
    recorder.event("e");
    recorder.data("raw", "f");
    recorder.data("raw", "g");
    CHECK(recorder.events() == Strings{"raw: ab", "other: c", "raw: d", "e", "raw: fg"});
}

TEST_CASE("a protocol is checked with what it records, writes, and how it closes") {
    class Good : public Protocol {
    public:
        explicit Good(std::shared_ptr<EventRecorder> r) : recorder(std::move(r)) {}
        void dataReceived(BytesView data) override {
            for (const char c : data) {
                if (c == '!') return transport().loseConnection();
                recorder->data("got", BytesView(&c, 1));
                transport().write(BytesView(&c, 1));
            }
        }
        std::shared_ptr<EventRecorder> recorder;
    };
    checkProtocolChunkingLaw("abc!def", [](auto r) { return std::make_shared<Good>(r); });

    class WritesPerPiece : public Protocol {
        void dataReceived(BytesView) override { transport().write("."); }
    };
    CHECK_THROWS_AS(checkProtocolChunkingLaw("abc", [](const auto&) { return std::make_shared<WritesPerPiece>(); }),
                    ChunkingViolation);

    class ClosesAtSmall : public Protocol {
        void dataReceived(BytesView data) override {
            if (data.size() == 1) transport().abortConnection();
        }
    };
    CHECK_THROWS_AS(checkProtocolChunkingLaw("abc", [](const auto&) { return std::make_shared<ClosesAtSmall>(); }),
                    ChunkingViolation);

    class ThrowsAtSmall : public Protocol {
        void dataReceived(BytesView data) override {
            if (data.size() == 1) throw ValueError("small");
        }
    };
    CHECK_THROWS_AS(checkProtocolChunkingLaw("abc", [](const auto&) { return std::make_shared<ThrowsAtSmall>(); }),
                    ChunkingViolation);
}
