#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/testing/fault_plan.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/run_async.hpp>
#include <torsion/testing/seed.hpp>
#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::Call;
using testing::FaultPlan;

namespace {

constexpr int kClients = 2;
/// So many turns pass without waiting: what a peer sends over the loopback is there at once.
constexpr int kBusyTurns = 20000;
/// What then still waits does so for a timer, such as that of a close, or for another thread; all of them are shorter.
constexpr Duration kCeiling = 30s;

/// What happened to everybody.
struct Tally {
    int made = 0;
    int lost = 0;
    int failed = 0;   // attempts
    int closed = 0;   // clientConnectionLost
    int echoed = 0;   // clients that got all
    int tooMany = 0;  // callbacks that came twice, or after the end
    std::vector<std::weak_ptr<Protocol>> protocols;
};

class Counted : public Protocol {
public:
    explicit Counted(Tally& tally) : tally_(tally) {}
    void connectionMade() override {
        if (made_++ != 0 || lost_ != 0) ++tally_.tooMany;
        ++tally_.made;
        // Or what a short write leaves would wait for the peer's delayed acknowledgement, 40 ms each time (Nagle).
        transport().as<TCPTransport>().setTcpNoDelay(true);
        tally_.protocols.push_back(weak_from_this());
    }
    void dataReceived(BytesView data) override {
        if (made_ != 1 || lost_ != 0 || data.empty()) ++tally_.tooMany;
    }
    void connectionLost(const Failure&) override {
        if (made_ != 1 || lost_++ != 0) ++tally_.tooMany;
        ++tally_.lost;
    }

protected:
    Tally& tally() const noexcept { return tally_; }

private:
    Tally& tally_;
    int made_ = 0;
    int lost_ = 0;
};

class Echo : public Counted {
public:
    using Counted::Counted;
    void dataReceived(BytesView data) override {
        Counted::dataReceived(data);
        transport().write(data);
    }
};

/// Wants its octets back, then closes.
class Asker : public Counted {
public:
    using Counted::Counted;
    void connectionMade() override {
        Counted::connectionMade();
        transport().write(wanted());
    }
    void dataReceived(BytesView data) override {
        Counted::dataReceived(data);
        got_.append(data);
        if (got_.size() < wanted().size()) return;
        if (got_ == wanted()) ++tally().echoed;
        transport().loseConnection();
    }

private:
    static const Bytes& wanted() {
        static const Bytes octets = test::pattern(3000);
        return octets;
    }
    Bytes got_;
};

class EchoFactory : public Factory {
public:
    explicit EchoFactory(Tally& tally) : tally_(tally) { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<Echo>(tally_); }

private:
    Tally& tally_;
};

class AskerFactory : public ClientFactory {
public:
    explicit AskerFactory(Tally& tally) : tally_(tally) { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<Asker>(tally_); }
    void clientConnectionFailed(Connector&, const Failure&) override { ++tally_.failed; }
    void clientConnectionLost(Connector&, const Failure&) override { ++tally_.closed; }

private:
    Tally& tally_;
};

/// Two clients and an echo server on one reactor, under @p plan, until everybody is gone.
Tally converse(const test::Stack& stack, FaultPlan& plan) {
    Tally tally;
    const std::size_t descriptors = testing::openDescriptors().size();
    testing::LoggedErrors errors;
    {
        LibeventReactor reactor;
        const auto server = stack.wrap(ssl::Role::server, std::make_shared<EchoFactory>(tally));
        const auto port = reactor.listenTCP(0, server, 50, "127.0.0.1");
        const auto client = std::dynamic_pointer_cast<ClientFactory>(
            stack.wrap(ssl::Role::client, std::make_shared<AskerFactory>(tally)));
        const auto installed = plan.install();
        for (int i = 0; i < kClients; ++i) reactor.connectTCP("127.0.0.1", port->getHost().port(), client);
        int turns = 0;
        bool hangs = false;
        const Duration end = reactor.seconds() + kCeiling;
        std::function<void()> look = [&] {
            hangs = reactor.seconds() > end;
            const bool over = tally.failed + tally.closed == kClients && tally.made == tally.lost;
            if (over || hangs) {
                reactor.crash();
            } else if (++turns < kBusyTurns) {
                reactor.turn().later([&look] { look(); });
            } else {
                reactor.callLater(1ms, [&look] { look(); });
            }
        };
        reactor.callWhenRunning([&look] { look(); });
        reactor.run(false);
        CHECK_MESSAGE(!hangs, "the conversation hangs");
    }
    CHECK(tally.failed + tally.closed == kClients);
    CHECK(tally.made == tally.lost);
    CHECK(tally.tooMany == 0);
    for (const auto& protocol : tally.protocols) CHECK(protocol.expired());
    CHECK(testing::openDescriptors().size() == descriptors);
    CHECK_MESSAGE(errors.size() == 0, errors.text());
    return tally;
}

std::string tellFaults(const FaultPlan& plan) {
    std::string text;
    for (const std::string& line : plan.log()) text += "\n  " + line;
    return text;
}

}  // namespace

TEST_CASE("thousands of conversations under random faults: no hang, each loss told once, nothing left (TR-10) (CL-1)") {
    const std::uint32_t seed = testing::printedSeed("random faults of system calls");
    FaultPlan::Rates rates;
    rates.broken = 15;
    rates.refused = 15;
    for (const test::Stack& stack : test::stacks()) {
        if (stack.wire != test::Wire::tcp) continue;
        CAPTURE(stack.name);
        const std::uint32_t plans = stack.isTLS ? 5 : 1500;
        int echoed = 0;
        std::uint64_t faults = 0;
        for (std::uint32_t i = 0; i < plans; ++i) {
            FaultPlan plan;
            plan.random(seed + i, rates);
            CAPTURE(seed + i);
            echoed += converse(stack, plan).echoed;
            faults += plan.faults();
        }
        CHECK(faults > plans);                        // they were there ...
        CHECK(echoed > static_cast<int>(plans) / 4);  // ... and most conversations went on all the same
    }
}

TEST_CASE("faults that a program must absorb cost no connection, however many there are") {
    const std::uint32_t seed = testing::printedSeed("interruptions and short reads and writes");
    FaultPlan::Rates rates;
    rates.interrupted = 200;
    rates.again = 200;
    rates.shortened = 500;
    rates.broken = rates.refused = 0;
    for (const test::Stack& stack : test::stacks()) {
        if (stack.wire != test::Wire::tcp) continue;
        CAPTURE(stack.name);
        for (std::uint32_t i = 0; i < (stack.isTLS ? 1U : 200U); ++i) {
            FaultPlan plan;
            plan.random(seed + i, rates);
            CAPTURE(seed + i);
            CHECK(converse(stack, plan).echoed == kClients);
        }
    }
}

TEST_CASE("every single fault at every place: the conversation ends, and nothing is left") {
    struct Place {
        Call call;
        std::vector<int> errors;
    };
    const std::vector<Place> places{
        {Call::socket, {EMFILE, ENOBUFS}},
        {Call::connect, {ECONNREFUSED, ENETUNREACH, EINPROGRESS, EADDRNOTAVAIL}},
        {Call::accept, {ECONNABORTED, EAGAIN, EINTR, EPROTO}},
        {Call::recv, {ECONNRESET, ETIMEDOUT, EAGAIN, EINTR}},
        {Call::send, {EPIPE, ECONNRESET, EAGAIN, EINTR, ENOBUFS}},
        {Call::sendmsg, {EPIPE, ECONNRESET, EAGAIN, EINTR, ENOBUFS}},
        {Call::writev, {EPIPE, ECONNRESET, EAGAIN, EINTR}},
        {Call::epollWait, {EINTR}},
        {Call::shutdown, {ENOTCONN}},
        {Call::getsockopt, {ENOBUFS}},
        {Call::setsockopt, {ENOBUFS}},
    };
    const test::Stack& tcp = test::stacks().front();
    for (const Place& place : places) {
        for (const int error : place.errors) {
            for (std::uint64_t number = 1;; ++number) {
                FaultPlan plan;
                plan.nth(place.call, number).returns(error);
                const Tally tally = converse(tcp, plan);
                INFO(tellFaults(plan));
                if (plan.faults() == 0) {
                    CHECK(tally.echoed == kClients);
                    break;
                }
                REQUIRE(number < 1000);
            }
        }
    }
}

TEST_CASE("a port that finds no descriptor rests, and lives") {
    FaultPlan plan;
    plan.nth(Call::accept, 1).returns(EMFILE);
    Tally tally;
    LibeventReactor reactor;
    const auto port = reactor.listenTCP(0, std::make_shared<EchoFactory>(tally), 50, "127.0.0.1");
    const auto factory = std::make_shared<AskerFactory>(tally);
    const auto installed = plan.install();
    testing::LoggedErrors errors;
    for (int i = 0; i < 10 && tally.echoed == 0; ++i) {
        const int before = tally.failed + tally.closed;
        reactor.connectTCP("127.0.0.1", port->getHost().port(), factory);
        test::until(reactor, [&] { return tally.failed + tally.closed > before; });
    }
    CHECK(tally.echoed == 1);
    CHECK(plan.faults() == 1);
}
