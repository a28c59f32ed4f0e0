#include <doctest/doctest.h>

#include <array>
#include <random>
#include <span>
#include <string>

#include <torsion/testing/clock.hpp>
#include <torsion/testing/seed.hpp>
#include <torsion/transports/output_queue.hpp>

using namespace torsion;

namespace {

/// What the queue would send: all of it, in one piece.
std::string contents(const OutputQueue& queue) {
    std::array<iovec, 4096> pieces;
    std::string all;
    const std::size_t count = queue.peek(pieces);
    for (std::size_t i = 0; i < count; ++i) {
        all.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    return all;
}

std::size_t pieces(const OutputQueue& queue) {
    std::array<iovec, 64> pieces;
    return queue.peek(pieces);
}

}  // namespace

TEST_CASE("small writes are gathered in one piece, large owned ones keep their memory") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    queue.append(BytesView("one "));
    queue.append(BytesView("two "));
    CHECK(pieces(queue) == 1);
    Bytes large(4096, 'x');
    const char* const memory = large.data();
    queue.append(std::move(large));
    queue.append(BytesView("tail"));
    std::array<iovec, 64> all;
    REQUIRE(queue.peek(all) == 3);
    CHECK(all[1].iov_base == memory);
    CHECK(queue.size() == 8 + 4096 + 4);
    queue.append(Bytes(4095, 'y'));  // below the bound it is copied to the rest
    CHECK(pieces(queue) == 3);
}

TEST_CASE("what is lent is sent from where it lies") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    const std::string buffer = "received";
    REQUIRE(queue.lend(buffer));
    std::array<iovec, 4> all;
    REQUIRE(queue.peek(all) == 1);
    CHECK(all[0].iov_base == buffer.data());
    queue.consume(buffer.size());
    CHECK(queue.empty());
}

TEST_CASE("what is lent and not sent is kept as a copy, before all else") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    std::string buffer(10000, 'a');
    REQUIRE(queue.lend(buffer));
    queue.append(BytesView(" and more"));
    CHECK(pieces(queue) == 2);
    queue.consume(9990);
    queue.keep();
    buffer.assign(10000, '?');
    CHECK(contents(queue) == "aaaaaaaaaa and more");
    queue.keep();  // nothing is lent any more
    CHECK(contents(queue) == "aaaaaaaaaa and more");
}

TEST_CASE("a small loan with something behind it leaves in one piece") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    std::string buffer = "line";
    REQUIRE(queue.lend(buffer));
    queue.append(BytesView("\r\n"));
    buffer = "????";
    CHECK(pieces(queue) == 1);
    CHECK(contents(queue) == "line\r\n");
}

TEST_CASE("a loan that goes on where the last one ends is one with it") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    const std::string buffer = "one two three";
    REQUIRE(queue.lend(BytesView(buffer).substr(0, 4)));
    REQUIRE(queue.lend(BytesView(buffer).substr(4, 4)));
    std::array<iovec, 4> all;
    REQUIRE(queue.peek(all) == 1);
    CHECK(all[0].iov_base == buffer.data());
    CHECK_FALSE(queue.lend(BytesView(buffer).substr(0, 3)));  // elsewhere
    queue.append(BytesView(buffer).substr(0, 3));
    CHECK(contents(queue) == "one two one");
    queue.consume(2);
    CHECK(contents(queue) == "e two one");
}

TEST_CASE("a loan behind what is not lent leaves from where it lies, too, until something comes behind it") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    std::string buffer = "a line and another one";
    queue.append(BytesView("begun before, "));
    REQUIRE(queue.lend(BytesView(buffer).substr(0, 6)));
    REQUIRE(queue.lend(BytesView(buffer).substr(6, 4)));
    CHECK_FALSE(queue.lend(BytesView(buffer).substr(18)));  // elsewhere
    std::array<iovec, 4> all;
    REQUIRE(queue.peek(all) == 2);
    CHECK(all[1].iov_base == buffer.data());
    CHECK(queue.peek(std::span(all).first(1)) == 1);
    CHECK(contents(queue) == "begun before, a line and");

    queue.consume(16);
    queue.append(BytesView("!"));
    CHECK(pieces(queue) == 1);
    REQUIRE(queue.lend(BytesView(buffer).substr(10)));
    buffer.replace(0, 10, 10, '?');  // that is a copy now
    CHECK(contents(queue) == "line and! another one");
    queue.consume(10);
    queue.keep();
    buffer.assign(buffer.size(), '?');
    CHECK(contents(queue) == "another one");
    queue.append(BytesView("."));
    CHECK(pieces(queue) == 1);
    CHECK(contents(queue) == "another one.");
}

TEST_CASE("small loans between what is not lent are gathered with it") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    std::string buffer;
    for (int i = 0; i < 1000; ++i) buffer += std::to_string(1000000 + i) + '\n';
    std::string expected;
    for (std::size_t i = 0; i < 1000; ++i) {
        const BytesView line = BytesView(buffer).substr(i * 8, 7);
        queue.append(BytesView("> "));
        REQUIRE(queue.lend(line));
        queue.append(BytesView("\r\n"));
        expected.append("> ").append(line).append("\r\n");
    }
    CHECK(pieces(queue) == 1);
    CHECK(contents(queue) == expected);
}

TEST_CASE("what is kept of many reads lies in pieces that go one by one") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    const std::string buffer(Turn::kReadSize, 'r');
    queue.append(BytesView("begun"));
    for (int i = 0; i < 16; ++i) {
        REQUIRE(queue.lend(buffer));
        queue.keep();
    }
    CHECK(queue.size() == 16 * buffer.size() + 5);
    CHECK(pieces(queue) >= 8);
    CHECK(pieces(queue) <= 17);
}

TEST_CASE("loans before and behind large slices keep their order") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    std::string first(5000, '1'), last(5000, '3');
    REQUIRE(queue.lend(first));
    queue.append(Bytes(5000, '2'));
    REQUIRE(queue.lend(last));
    const std::string whole = contents(queue);
    CHECK(pieces(queue) == 3);
    CHECK(whole == first + std::string(5000, '2') + last);
    queue.keep();
    first.assign(5000, '?');
    last.assign(5000, '?');
    CHECK(contents(queue) == whole);
}

TEST_CASE("clear gives up all, and the queue goes on") {
    task::Clock clock;
    OutputQueue queue(clock.turn());
    const std::string buffer(5000, 'b');
    REQUIRE(queue.lend(buffer));
    queue.append(BytesView("x"));
    queue.append(Bytes(70000, 'y'));
    queue.clear();
    CHECK(queue.empty());
    CHECK(pieces(queue) == 0);
    queue.append(BytesView("again"));
    CHECK(contents(queue) == "again");
}

TEST_CASE("the queue is a string of octets, whatever the order of calls") {
    std::mt19937 random(testing::printedSeed("the calls of an output queue"));
    const auto upTo = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
    task::Clock clock;
    for (int round = 0; round < 200; ++round) {
        OutputQueue queue(clock.turn());
        std::string model;
        std::string loan;
        char next = 'a';
        const auto data = [&](std::size_t size) {
            next = next == 'z' ? 'a' : static_cast<char>(next + 1);
            return std::string(size, next);
        };
        for (int step = 0; step < 100; ++step) {
            const std::size_t size = upTo(3) == 0 ? upTo(200000) : upTo(300);
            switch (upTo(5)) {
                case 0: {
                    const std::string some = data(size);
                    queue.append(BytesView(some));
                    model += some;
                    break;
                }
                case 1: {
                    std::string some = data(size);
                    model += some;
                    queue.append(std::move(some));
                    break;
                }
                case 2:
                    queue.keep();
                    loan = data(size + 1);
                    for (BytesView rest = loan; !rest.empty();) {
                        const BytesView piece = rest.substr(0, 1 + upTo(rest.size() - 1));
                        rest.remove_prefix(piece.size());
                        if (!queue.lend(piece)) queue.append(piece);
                        model += piece;
                        if (upTo(5) == 0) {
                            queue.append(BytesView("between"));
                            model += "between";
                        }
                    }
                    break;
                case 3:
                    queue.keep();
                    loan.assign(loan.size(), '?');
                    break;
                default: {
                    const std::size_t octets = upTo(model.size());
                    queue.consume(octets);
                    model.erase(0, octets);
                }
            }
            REQUIRE(queue.size() == model.size());
            REQUIRE(queue.empty() == model.empty());
        }
        REQUIRE(contents(queue) == model);
    }
}
