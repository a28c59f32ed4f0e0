// What a reactor tells of its work, over real sockets.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

class Echo : public Protocol {
public:
    void dataReceived(BytesView data) override {
        transport().write(data.substr(0, 1));
        transport().write(data.substr(1));
    }
};

/// Sends one word, waits for it to come back, and leaves.
class Asker : public Protocol {
public:
    void connectionMade() override { transport().write("question"); }
    void dataReceived(BytesView data) override {
        received_ += data;
        if (received_ == "question") transport().loseConnection();
    }
    void connectionLost(const Failure&) override {
        transport().turn().later([reactor = left_] { reactor->stop(); });  // we may be gone by then
    }
    explicit Asker(LibeventReactor* reactor) : left_(reactor) {}

private:
    LibeventReactor* left_;
    std::string received_;
};

class Sleeper : public Protocol {
public:
    void dataReceived(BytesView data) override {
        const auto start = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() - start < 20ms) {
        }
        transport().write(data);
    }
};

std::vector<std::string> logged(const std::function<void()>& work) {
    std::vector<std::string> texts;
    const int observer = log::addObserver([&](const log::Event& event) { texts.emplace_back(event.text); });
    work();
    log::removeObserver(observer);
    return texts;
}

int count(const std::vector<std::string>& texts, const std::string& part) {
    int found = 0;
    for (const std::string& text : texts) found += text.find(part) != std::string::npos;
    return found;
}

template <class P>
void converse(LibeventReactor& reactor) {
    const auto port = reactor.listenTCP(0, Factory::forProtocol<P>(), 5, "127.0.0.1");
    reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asker>(&reactor));
    reactor.run(false);
}

}  // namespace

TEST_CASE("a reactor counts connections, octets, and writes that left together") {
    LibeventReactor reactor;
    CHECK(reactor.counters().turns == 0);
    converse<Echo>(reactor);
    const ReactorCounters counters = reactor.counters();
    CHECK(counters.connectionsAccepted == 1);
    CHECK(counters.connectionsMade == 1);
    CHECK(counters.connectionsLost == 2);
    CHECK(counters.connections() == 0);
    CHECK(counters.bytesReceived == 16);
    CHECK(counters.bytesSent == 16);
    CHECK(counters.writesCoalesced == 1);
    CHECK(counters.turns > 2);
    std::uint64_t inHistogram = 0;
    for (const std::uint64_t turns : counters.turnDurations) inHistogram += turns;
    CHECK(inHistogram == counters.turns);
    CHECK(counters.turnQuantile(1.0) >= counters.turnQuantile(0.5));
}

TEST_CASE("a reactor counts timers and calls from threads") {
    LibeventReactor reactor;
    int timers = 0;
    for (int i = 0; i < 5; ++i) reactor.callLater(0s, [&] { ++timers; });
    reactor.callLater(1h, [] {});
    reactor.callWhenRunning([&] {
        std::thread([&] {
            for (int i = 0; i < 3; ++i) reactor.callFromThread([] {});
            reactor.callFromThread([&] { reactor.stop(); });
        }).join();
    });
    reactor.run(false);
    CHECK(timers == 5);
    CHECK(reactor.counters().timersRun == 5);
    CHECK(reactor.counters().threadCalls == 4);
}

TEST_CASE("a reactor counts the handshakes that were done, and those that failed") {
    LibeventReactor reactor;
    const ssl::CertificateOptions server(ssl::test::exampleCertificate());
    const auto port = reactor.listenSSL(0, Factory::forProtocol<Echo>(), server, 5, "127.0.0.1");
    SUBCASE("done") {
        reactor.connectSSL("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asker>(&reactor),
                           ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate()));
        reactor.run(false);
        CHECK(reactor.counters().handshakes == 2);
        CHECK(reactor.counters().handshakesFailed == 0);
    }
    SUBCASE("failed") {
        reactor.connectSSL("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asker>(&reactor),
                           ssl::optionsForClientTLS("another.example", ssl::test::exampleCertificate()));
        const auto before = logged([&] { reactor.run(false); });
        CHECK(reactor.counters().handshakesFailed >= 1);
        CHECK(reactor.counters().handshakes <= 1);  // a server has done its part before the client refuses
    }
}

TEST_CASE("a slow callback is named by its protocol's type, if that was asked for") {
    LibeventReactor reactor;
    SUBCASE("asked for") {
        reactor.warnOfSlowCallbacks(15ms);
        const auto texts = logged([&] { converse<Sleeper>(reactor); });
        CHECK(count(texts, "slow callback: ") >= 1);
        CHECK(count(texts, "Sleeper held up the reactor for ") == 1);
    }
    SUBCASE("timers") {
        reactor.warnOfSlowCallbacks(5ms);
        reactor.callLater(0s, [&] {
            const auto start = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - start < 10ms) {
            }
            reactor.stop();
        });
        const auto texts = logged([&] { reactor.run(false); });
        CHECK(count(texts, "slow callback: the timers that were due held up the reactor for ") == 1);
    }
    SUBCASE("a call from a thread") {
        reactor.warnOfSlowCallbacks(5ms);
        reactor.callFromThread([&] {
            const auto start = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - start < 10ms) {
            }
            reactor.stop();
        });
        const auto texts = logged([&] { reactor.run(false); });
        CHECK(count(texts, "slow callback: a call from a thread held up the reactor for ") == 1);
    }
    SUBCASE("not asked for") {
        const auto texts = logged([&] { converse<Sleeper>(reactor); });
        CHECK(count(texts, "slow callback") == 0);
    }
    SUBCASE("turned off again") {
        reactor.warnOfSlowCallbacks(15ms);
        reactor.warnOfSlowCallbacks(0s);
        const auto texts = logged([&] { converse<Sleeper>(reactor); });
        CHECK(count(texts, "slow callback") == 0);
    }
    SUBCASE("turned off by what is timed") {
        reactor.warnOfSlowCallbacks(15ms);
        reactor.callLater(0s, [&] { reactor.warnOfSlowCallbacks(0s); });
        const auto texts = logged([&] { converse<Echo>(reactor); });
        CHECK(count(texts, "slow callback") == 0);
    }
    CHECK_THROWS_AS(reactor.warnOfSlowCallbacks(-1ns), ValueError);
}

TEST_CASE("the time between two runs belongs to no turn") {
    LibeventReactor reactor;
    class Crasher : public Protocol {
    public:
        explicit Crasher(LibeventReactor* reactor) : reactor_(reactor) {}
        void dataReceived(BytesView) override { reactor_->crash(); }

    private:
        LibeventReactor* reactor_;
    };
    class Asks : public Protocol {
    public:
        void connectionMade() override { transport().write("now"); }
    };
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Crasher>(&reactor), 5, "127.0.0.1");
    reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asks>());
    reactor.run(false);
    const Duration longest = reactor.counters().longestTurn;
    const auto start = std::chrono::steady_clock::now();
    const Duration pause = longest + 50ms;
    while (std::chrono::steady_clock::now() - start < pause) {
    }
    reactor.callLater(0s, [&] { reactor.crash(); });
    reactor.run(false);
    CHECK(reactor.counters().longestTurn < pause);
}
