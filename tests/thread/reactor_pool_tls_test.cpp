#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/tests/reactor/pool_fixture.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/transports/endpoints.hpp>

using namespace torsion;
using namespace torsion::test;
using ssl::test::exampleCertificate;

namespace {

/// Tells its client the number of the reactor that it belongs to, then closes.
class Numbered : public Protocol {
public:
    explicit Numbered(std::size_t reactor) : reactor_(reactor) {}
    void dataReceived(BytesView) override { transport().write(std::to_string(reactor_)); }

private:
    std::size_t reactor_;
};

/// Asks, and closes when it has an answer.
class Asking : public Protocol {
public:
    void connectionMade() override { transport().write("who?"); }
    void dataReceived(BytesView data) override {
        answer = Bytes(data);
        resumed = transport().as<SSLTransport>().sessionReused();
        transport().loseConnection();
    }
    void connectionLost(const Failure&) override { done.callback(); }
    Bytes answer;
    bool resumed = false;
    Deferred<void> done;
};

struct Answers {
    std::vector<std::string> reactors;
    std::vector<bool> resumed;
};

/// Asks @p times, one connection after the other.
Deferred<void> askAll(LibeventReactor& reactor, int port, int times, ssl::ClientTLSOptions options, Answers& answers) {
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, "127.0.0.1", port, options);
    for (int i = 0; i < times; ++i) {
        auto client = co_await endpoint.connect(Factory::forProtocol<Asking>());
        co_await client->done;
        answers.reactors.emplace_back(client->answer);
        answers.resumed.push_back(client->resumed);
    }
}

Answers talk(ReactorPool& pool, const ssl::CertificateOptions& serverOptions, const ssl::ClientTLSOptions& client,
             int times) {
    const auto port = pool.listenSSL(
        0, [&pool](Reactor&) { return Factory::forProtocol<Numbered>(pool.current()); }, serverOptions, 50,
        "127.0.0.1");
    Answers answers;
    runBeside(pool, [&] {
        LibeventReactor reactor;
        reactor.callWhenRunning([&] {
            askAll(reactor, portOf(port), times, client, answers).addBoth([&](defer::Result<void> result) {
                CHECK(result.ok());
                reactor.stop();
            });
        });
        reactor.run(false);
    });
    return answers;
}

using Parameters = ssl::CertificateOptions::Parameters;

ssl::ClientTLSOptions resumingClient(ssl::TLSVersion highest) {
    return ssl::optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {},
                                    Parameters().enableSessions(true).lowerMaximumSecurityTo(highest));
}

}  // namespace

TEST_CASE("a TLS session that began at one reactor of a pool is resumed at the others") {
    for (const auto version : {ssl::TLSVersion::TLSv1_2, ssl::TLSVersion::TLSv1_3}) {
        for (const bool tickets : {true, false}) {
            CAPTURE(tickets);
            CAPTURE(static_cast<int>(version));
            auto parameters = Parameters(exampleCertificate());
            parameters.enableSessionTickets(tickets).enableSessions(!tickets);
            ReactorPool pool(3, Accepting::handOver);  // in turn, so that the next connection is another's
            const Answers answers = talk(pool, ssl::CertificateOptions(parameters), resumingClient(version), 6);
            CHECK(answers.reactors == std::vector<std::string>{"0", "1", "2", "0", "1", "2"});
            CHECK(answers.resumed == std::vector<bool>{false, true, true, true, true, true});
        }
    }
}

TEST_CASE("ticket keys may be rotated while all reactors use them") {
    ssl::TicketKeys keys;
    ReactorPool pool(3);
    pool.forEach([keys](Reactor& reactor) mutable { reactor.callWhenRunning([keys]() mutable { keys.rotate(); }); });
    const Answers answers = talk(pool, ssl::CertificateOptions(Parameters(exampleCertificate()).ticketKeys(keys)),
                                 resumingClient(ssl::TLSVersion::TLSv1_3), 20);
    CHECK(answers.reactors.size() == 20);
    CHECK(answers.resumed.back());
}
