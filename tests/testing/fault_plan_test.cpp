#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/testing/fault_calls.hpp>  // for the whole program

using namespace torsion;
using testing::Call;
using testing::FaultPlan;

namespace {

/// Two connected descriptors.
struct SocketPair {
    SocketPair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0); }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;
    ~SocketPair() {
        close(ends[0]);
        close(ends[1]);
    }
    ssize_t put(const std::string& text) const { return send(ends[0], text.data(), text.size(), 0); }
    /// What comes, or the name of the error.
    std::string get() const {
        std::array<char, 100> buffer{};
        const ssize_t got = recv(ends[1], buffer.data(), buffer.size(), 0);
        return got < 0 ? strerrorname_np(errno) : std::string(buffer.data(), static_cast<std::size_t>(got));
    }
    std::array<int, 2> ends{};
};

}  // namespace

TEST_CASE("the nth call fails as planned, and nothing has happened by it") {
    const SocketPair pair;
    FaultPlan plan;
    plan.nth(Call::recv, 2).returns(ECONNRESET);
    CHECK(plan.calls() == 0);
    {
        const auto installed = plan.install();
        pair.put("a");
        CHECK(pair.get() == "a");
        pair.put("b");
        CHECK(pair.get() == "ECONNRESET");
        CHECK(pair.get() == "b");
        CHECK(pair.get() == "EAGAIN");  // the system's own
    }
    CHECK(pair.put("c") == 1);
    CHECK(plan.calls(Call::recv) == 4);
    CHECK(plan.calls(Call::send) == 2);
    CHECK(plan.calls() == 6);
    CHECK(plan.faults() == 1);
    CHECK(plan.log() ==
          std::vector<std::string>{"recv 2 on descriptor " + std::to_string(pair.ends[1]) + ": ECONNRESET"});
}

TEST_CASE("calls fail in a period, or from some number on") {
    const SocketPair pair;
    FaultPlan plan;
    plan.every(Call::send, 3).returns(EINTR).after(Call::send, 5).returns(EPIPE);
    const auto installed = plan.install();
    std::string seen;
    for (int i = 0; i < 7; ++i) {
        const ssize_t sent = pair.put("x");
        seen += sent == 1 ? "." : errno == EINTR ? "i" : "p";
    }
    CHECK(seen == "..i..ip");  // the first rule that fits decides
}

TEST_CASE("short writes and reads move a part, in gathered calls, too") {
    const SocketPair pair;
    FaultPlan plan;
    plan.nth(Call::send, 1).shortens(2).nth(Call::sendmsg, 1).shortens(4).nth(Call::recv, 2).shortens(1);
    plan.nth(Call::recv, 3).ends();
    const auto installed = plan.install();
    CHECK(pair.put("hello") == 2);
    CHECK(pair.get() == "he");
    std::string first = "abc";
    std::string second = "def";
    std::array<iovec, 2> parts{iovec{first.data(), 3}, iovec{second.data(), 3}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    CHECK(sendmsg(pair.ends[0], &message, 0) == 4);
    CHECK(pair.get() == "a");
    CHECK(pair.get().empty());
    CHECK(pair.get() == "bcd");
    CHECK(writev(pair.ends[0], parts.data(), 2) == 6);
    std::array<char, 4> room{};
    std::array<iovec, 2> into{iovec{room.data(), 2}, iovec{room.data() + 2, 2}};
    CHECK(readv(pair.ends[1], into.data(), 2) == 4);
    message.msg_iov = into.data();
    CHECK(recvmsg(pair.ends[1], &message, 0) == 2);
    CHECK(std::string(room.data(), 2) == "ef");
}

TEST_CASE("random short reads and writes lose nothing, and a seed repeats them") {
    const auto run = [](std::uint32_t seed) {
        const SocketPair pair;
        FaultPlan plan;
        plan.shortWrites(seed).shortReads(seed);
        const auto installed = plan.install();
        const std::string text = "the quick brown fox jumps over the lazy dog";
        std::string got;
        std::string cuts;
        std::size_t sent = 0;
        while (got.size() < text.size()) {
            if (sent < text.size()) sent += static_cast<std::size_t>(pair.put(text.substr(sent)));
            const std::string piece = pair.get();
            cuts += std::to_string(piece.size()) + ' ';
            got += piece;
        }
        CHECK(got == text);
        return cuts;
    };
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
}

TEST_CASE("random faults keep to their rates, to sockets, and to their seed") {
    const auto run = [](std::uint32_t seed, const FaultPlan::Rates& rates) {
        const SocketPair pair;
        FaultPlan plan;
        plan.random(seed, rates);
        const auto installed = plan.install();
        for (int i = 0; i < 300; ++i) {
            pair.put("some octets");
            pair.get();
        }
        return plan.log();
    };
    FaultPlan::Rates none;
    none.interrupted = none.again = none.shortened = none.broken = none.refused = 0;
    CHECK(run(5, none).empty());
    FaultPlan::Rates always = none;
    always.interrupted = 1000;
    CHECK(run(5, always).size() == FaultPlan::kLogLength);
    CHECK(run(5, always).back().find(" 300 on descriptor") != std::string::npos);
    CHECK(run(5, {}).size() > 50);
    CHECK(run(5, {}) == run(5, {}));

    const int file = open("/dev/null", O_WRONLY);
    FaultPlan plan;
    plan.random(1, always);
    {
        const auto installed = plan.install();
        CHECK(write(file, "x", 1) == 1);
    }
    close(file);
}

TEST_CASE("a plan is for one thread and alone, and refuses what makes no sense") {
    FaultPlan plan;
    const auto installed = plan.install();
    FaultPlan second;
    CHECK_THROWS_AS(static_cast<void>(second.install()), RuntimeError);
    CHECK_THROWS_AS(plan.nth(Call::recv, 0), ValueError);
    CHECK_THROWS_AS(plan.every(Call::recv, 0), ValueError);
    CHECK_THROWS_AS(plan.nth(Call::recv, 1).returns(0), ValueError);
    CHECK_THROWS_AS(plan.nth(Call::connect, 1).shortens(1), ValueError);
    CHECK_THROWS_AS(plan.nth(Call::recv, 1).shortens(0), ValueError);
    CHECK_THROWS_AS(plan.nth(Call::send, 1).ends(), ValueError);
}
