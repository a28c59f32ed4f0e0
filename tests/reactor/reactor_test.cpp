#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/reactor/libevent_reactor.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

/// What happened, in order.
using Diary = std::vector<std::string>;

ReactorCore::Trigger note(Diary& diary, const std::string& what) {
    return [&diary, what] {
        diary.push_back(what);
        return defer::succeed();
    };
}

/// Runs @p reactor until @p function, called when it runs, and what follows from that is done.
void runWith(LibeventReactor& reactor, Function<void()> function) {
    reactor.callWhenRunning([&reactor, f = std::move(function)]() mutable {
        f();
        reactor.callLater(0s, [&reactor] {
            if (reactor.running()) reactor.stop();
        });
    });
    reactor.run(false);
}

/// The texts that were logged while it lives.
class LogTexts {
public:
    LogTexts() : number_(log::addObserver([this](const log::Event& event) { texts.emplace_back(event.text); })) {}
    ~LogTexts() { log::removeObserver(number_); }
    bool has(const std::string& part) const {
        for (const std::string& text : texts) {
            if (text.find(part) != std::string::npos) return true;
        }
        return false;
    }
    std::vector<std::string> texts;

private:
    int number_;
};

}  // namespace

TEST_CASE("run twice at once, and stop when not running, are errors; running again is not (D22)") {
    LibeventReactor reactor;
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    for (int round = 0; round < 3; ++round) {
        bool ran = false;
        runWith(reactor, [&] {
            ran = true;
            CHECK(reactor.running());
            CHECK_THROWS_AS(reactor.run(false), ReactorAlreadyRunning);
        });
        CHECK(ran);
        CHECK(!reactor.running());
    }
}

TEST_CASE(
    "phases come in their order, triggers in the order of registration, and one that throws stops nobody (SE-1) "
    "(SE-2)") {
    LibeventReactor reactor;
    Diary diary;
    LogTexts logged;
    reactor.addSystemEventTrigger(SystemEventPhase::after, "shutdown", note(diary, "after"));
    reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", note(diary, "during"));
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", note(diary, "before 1"));
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown",
                                  []() -> Deferred<void> { throw ValueError("broken"); });
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", note(diary, "before 2"));
    runWith(reactor, [] {});
    CHECK(diary == Diary{"before 1", "before 2", "during", "after"});
    CHECK(logged.has("in a trigger of the system event shutdown"));
}

TEST_CASE("the Deferreds of before triggers are waited for, failed ones too, while timers run (SE-1) (SE-3)") {
    LibeventReactor reactor;
    Diary diary;
    LogTexts logged;
    Deferred<void> slow, failing;
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
        reactor.callLater(2ms, [&] {
            diary.push_back(reactor.running() ? "timer, running" : "timer, not running");
            failing.errback(ValueError("no"));
            slow.callback();
        });
        return slow;
    });
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] { return failing; });
    reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", [&] {
        diary.push_back(reactor.running() ? "during, running" : "during, not running");
        return defer::succeed();
    });
    runWith(reactor, [] {});
    CHECK(diary == Diary{"timer, running", "during, not running"});
}

TEST_CASE("a second stop while before triggers are waited for is an error (SE-4)") {
    LibeventReactor reactor;
    Deferred<void> slow;
    bool refused = false;
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
        reactor.callLater(0s, [&] {
            CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
            refused = true;
            slow.callback();
        });
        return slow;
    });
    runWith(reactor, [] {});
    CHECK(refused);
}

TEST_CASE("triggers can be removed, unknown ones cannot (SE-5)") {
    LibeventReactor reactor;
    Diary diary;
    const auto id = reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", note(diary, "removed"));
    reactor.removeSystemEventTrigger(id);
    CHECK_THROWS_AS(reactor.removeSystemEventTrigger(id), ValueError);
    runWith(reactor, [] {});
    CHECK(diary.empty());
}

TEST_CASE("a trigger added while its phase fires still runs (SE-6)") {
    LibeventReactor reactor;
    Diary diary;
    reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", [&] {
        reactor.addSystemEventTrigger(SystemEventPhase::during, "shutdown", note(diary, "late"));
        return defer::succeed();
    });
    runWith(reactor, [] {});
    CHECK(diary == Diary{"late"});
}

TEST_CASE("SIGTERM stops the reactor; a SIGINT handler of the program is left alone (SE-7)") {
    LibeventReactor reactor;
    static int interrupts;
    interrupts = 0;
    struct sigaction own {
    }, before{};
    own.sa_handler = [](int) { ++interrupts; };
    sigaction(SIGINT, &own, &before);
    reactor.callWhenRunning([&] {
        raise(SIGINT);
        CHECK(interrupts == 1);
        raise(SIGTERM);
    });
    reactor.run();
    CHECK(reactor.exitSignal() == SIGTERM);

    own.sa_handler = SIG_DFL;
    sigaction(SIGINT, &own, nullptr);
    reactor.callWhenRunning([&] { raise(SIGINT); });
    reactor.run();
    CHECK(reactor.exitSignal() == SIGINT);
    sigaction(SIGINT, &before, nullptr);
}

TEST_CASE("callWhenRunning is synchronous while running, and waits for the start before") {
    LibeventReactor reactor;
    Diary diary;
    reactor.callWhenRunning([&] {
        diary.push_back("started");
        reactor.callWhenRunning([&] { diary.push_back("inner"); });
        diary.push_back("outer");
    });
    CHECK(diary.empty());
    runWith(reactor, [] {});
    CHECK(diary == Diary{"started", "inner", "outer"});
}

TEST_CASE("crash leaves without the shutdown event, which fires at the next stop") {
    LibeventReactor reactor;
    Diary diary;
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", note(diary, "shutdown"));
    reactor.callWhenRunning([&] { reactor.crash(); });
    reactor.run(false);
    CHECK(diary.empty());
    runWith(reactor, [] {});
    CHECK(diary == Diary{"shutdown"});
}

TEST_CASE("timers added in a pass wait for the next one, so that I/O gets its turn (DC-2)") {
    LibeventReactor reactor;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    REQUIRE(::write(pair[1], "x", 1) == 1);
    class Reader : public DescriptorListener {
    public:
        explicit Reader(LibeventReactor& reactor) : reactor_(reactor) {}
        void readable() override { reactor_.stop(); }
        void writable() override {}
        void reactorGone(const Failure&) override {}

    private:
        LibeventReactor& reactor_;
    } reader(reactor);
    const auto watch = reactor.watch(pair[0], reader);
    watch->setReading(true);
    int passes = 0;
    struct Spinner {
        static void spin(LibeventReactor& reactor, int& passes) {
            if (++passes < 100000) reactor.callLater(0s, [&] { spin(reactor, passes); });
        }
    };
    reactor.callWhenRunning([&] { Spinner::spin(reactor, passes); });
    reactor.run(false);
    CHECK(passes < 1000);
    ::close(pair[0]);
    ::close(pair[1]);
}

TEST_CASE("callLater refuses a negative delay and an empty function (DC-1)") {
    LibeventReactor reactor;
    CHECK_THROWS_AS(reactor.callLater(-1ns, [] {}), ValueError);
    CHECK_THROWS_AS(reactor.callLater(0s, nullptr), ValueError);
    const auto call = reactor.callLater(1h, [] {});
    CHECK(reactor.getDelayedCalls().size() == 1);
    CHECK(call.getTime() > reactor.seconds());
}

TEST_CASE("a handle that outlives its reactor is a cancelled call") {
    DelayedCall call;
    {
        LibeventReactor reactor;
        call = reactor.callLater(1s, [] {});
        CHECK(call.active());
    }
    CHECK(!call.active());
    CHECK_THROWS_AS(call.cancel(), AlreadyCancelled);
}

TEST_CASE("the destruction of a reactor destroys posted closures and what their destruction posts") {
    struct Chain {
        Chain(LibeventReactor& r, int n, int& d) : reactor(r), left(n), destroyed(d) {}
        ~Chain() {
            ++destroyed;
            if (left > 0) {
                auto next = std::make_shared<Chain>(reactor, left - 1, destroyed);
                reactor.turn().later([next] {});
            }
        }
        LibeventReactor& reactor;
        int left;
        int& destroyed;
    };
    int destroyed = 0;
    {
        LibeventReactor reactor;
        reactor.callFromThread([chain = std::make_shared<Chain>(reactor, 3, destroyed)] {});
    }
    CHECK(destroyed == 4);
}

TEST_CASE("an exception in a timed call is logged, and the loop goes on") {
    LibeventReactor reactor;
    LogTexts logged;
    bool later = false;
    reactor.callWhenRunning([&] {
        reactor.callLater(0s, [] { throw ValueError("in a timer"); });
        reactor.callLater(0s, [&] {
            later = true;
            reactor.stop();
        });
    });
    reactor.run(false);
    CHECK(later);
    CHECK(logged.has("callLater"));
}

TEST_CASE("several reactors live in one process, one after the other and one inside another's life") {
    LibeventReactor first, second;
    Diary diary;
    runWith(first, [&] { diary.push_back("first"); });
    runWith(second, [&] {
        diary.push_back("second");
        CHECK(LibeventReactor::current() == &second);
    });
    CHECK(diary == Diary{"first", "second"});
}

TEST_CASE("the current reactor is never one that is gone, in whatever order they end (TP-5)") {
    auto first = std::make_unique<LibeventReactor>();
    auto second = std::make_unique<LibeventReactor>();
    first.reset();
    CHECK(LibeventReactor::current() == second.get());
    second.reset();
    CHECK(LibeventReactor::current() == nullptr);
}

TEST_CASE("a before trigger's Deferred that fires when its reactor is gone does nothing (SE-4)") {
    Deferred<void> never;
    {
        LibeventReactor reactor;
        reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [never] { return never; });
        reactor.callWhenRunning([&] {
            reactor.stop();
            reactor.callLater(1ms, [&] { reactor.crash(); });
        });
        reactor.run(false);
    }
    never.callback();
}

TEST_CASE(
    "a protocol whose dataReceived ends the wait of the shutdown hears of its loss when that has returned (SE-1) "
    "(CL-1)") {
    class Last : public Protocol {
    public:
        Last(Deferred<void> drained, int& lost) : drained_(std::move(drained)), lost_(lost) {}
        void dataReceived(BytesView) override {
            inside_ = true;
            drained_.callback();
            inside_ = false;
        }
        void connectionLost(const Failure&) override {
            CHECK(!inside_);
            ++lost_;
        }

    private:
        Deferred<void> drained_;
        int& lost_;
        bool inside_ = false;
    };
    class Servers : public Factory {
    public:
        Servers(Deferred<void> drained, int& lost) : drained_(std::move(drained)), lost_(lost) {}
        std::shared_ptr<Protocol> buildProtocol(const Address&) override {
            return std::make_shared<Last>(drained_, lost_);
        }

    private:
        Deferred<void> drained_;
        int& lost_;
    };
    class Greeter : public Protocol {
    public:
        explicit Greeter(Reactor* reactor) : reactor_(reactor) {}
        void connectionMade() override {
            reactor_->stop();
            scope().callLater(*reactor_, 1ms, [this] { transport().write("that was all"); });
        }

    private:
        Reactor* reactor_;
    };
    int lost = 0;
    Deferred<void> drained;
    LibeventReactor reactor;
    const auto port = reactor.listenTCP(0, std::make_shared<WrappingFactory>(std::make_shared<Servers>(drained, lost)),
                                        50, "127.0.0.1");
    reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Greeter>(&reactor));
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [drained] { return drained; });
    reactor.run(false);
    CHECK(lost == 1);
}
