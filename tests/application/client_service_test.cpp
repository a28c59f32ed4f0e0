#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <torsion/application/client_service.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/results.hpp>
#include <torsion/tests/outcome.hpp>
#include <torsion/transports/tcp_endpoints.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using service::ClientService;
using test::Outcome;
using testing::MemoryReactor;

namespace {

/// A service whose retries come after 1, 2, 3... seconds.
struct Setup {
    explicit Setup(ClientService::PrepareConnection prepare = {}) {
        const auto endpoint = std::make_shared<endpoints::TCP4ClientEndpoint>(reactor, "127.0.0.1", 80);
        client = std::make_shared<ClientService>(
            reactor, endpoint, Factory::forProtocol<Protocol>(),
            [](unsigned attempts) { return std::chrono::seconds(attempts); }, std::move(prepare));
    }
    std::size_t attempts() const { return reactor.connectors.size(); }
    void refuse() { reactor.connectors.back()->fail(failureOf<ConnectionRefusedError>()); }

    MemoryReactor reactor;
    std::shared_ptr<ClientService> client;
};

bool fired(const Deferred<void>& deferred) { return deferred.called() && !deferred.paused(); }

}  // namespace

TEST_CASE("a ClientService connects when it starts, and tells who waits for that (RC-6)") {
    Setup setup;
    const Outcome before(setup.client->whenConnected());
    CHECK(before.failed<defer::CancelledError>());
    setup.client->startService();
    CHECK(setup.attempts() == 1);
    Outcome waiting(setup.client->whenConnected());
    CHECK_FALSE(waiting.fired());
    setup.reactor.connectors.back()->succeed();
    CHECK(waiting.ok());
    Outcome later(setup.client->whenConnected());
    CHECK(later.value() == waiting.value());
    waiting.forget();
    later.forget();
    const auto stopped = setup.client->stopService();
    CHECK_FALSE(fired(stopped));
    setup.reactor.flush();
    CHECK(fired(stopped));
}

TEST_CASE("whenConnected gives the factory's own type to who asks for it, and says so if it is another (RC-6)") {
    struct Speaker : Protocol {};
    MemoryReactor reactor;
    const auto endpoint = std::make_shared<endpoints::TCP4ClientEndpoint>(reactor, "192.0.2.1", 80);
    const auto client = std::make_shared<ClientService>(reactor, endpoint, Factory::forProtocol<Speaker>());
    client->startService();
    const Outcome speaker(client->whenConnected<Speaker>());
    struct Listener : Protocol {};
    const Outcome listener(client->whenConnected<Listener>());
    reactor.connectors.back()->succeed();
    CHECK(speaker.ok());
    CHECK(listener.failed<TypeError>());
    CHECK(listener.text().find("Speaker") != std::string::npos);
    client->stopService();
    reactor.flush();
}

TEST_CASE("a ClientService waits longer after each failure, and begins anew after a success (RC-4) (RC-5)") {
    Setup setup;
    setup.client->startService();
    setup.refuse();
    setup.reactor.advance(999ms);
    CHECK(setup.attempts() == 1);
    setup.reactor.advance(1ms);
    CHECK(setup.attempts() == 2);
    setup.refuse();
    setup.reactor.advance(1999ms);
    CHECK(setup.attempts() == 2);
    setup.reactor.advance(1ms);
    CHECK(setup.attempts() == 3);
    setup.reactor.connectors.back()->succeed();
    setup.reactor.connectors.back()->lose(failureOf<ConnectionLost>());
    setup.reactor.flush();
    CHECK(setup.attempts() == 3);
    setup.reactor.advance(1s);
    CHECK(setup.attempts() == 4);
    setup.client->stopService();
}

TEST_CASE("failAfterFailures ends the wait of one who asked for that, after so many from then on (RC-6)") {
    Setup setup;
    setup.client->startService();
    CHECK_THROWS_AS(setup.client->whenConnected(0), ValueError);
    setup.refuse();
    const Outcome patient(setup.client->whenConnected());
    const Outcome two(setup.client->whenConnected(2));
    setup.reactor.advance(1s);
    setup.refuse();
    CHECK_FALSE(two.fired());
    setup.reactor.advance(2s);
    setup.refuse();
    CHECK(two.failed<ConnectionRefusedError>());
    CHECK_FALSE(patient.fired());
    setup.client->stopService();
    CHECK(patient.failed<defer::CancelledError>());
}

TEST_CASE("stopService gives up an attempt or a wait at once, and waits for the loss of a connection (RC-7)") {
    Setup setup;
    CHECK(fired(setup.client->stopService()));
    setup.client->startService();
    CHECK(fired(setup.client->stopService()));
    CHECK(setup.reactor.connectors.back()->stops() == 1);

    setup.client->startService();
    setup.refuse();
    CHECK(fired(setup.client->stopService()));
    setup.reactor.advance(1h);
    CHECK(setup.attempts() == 2);

    setup.client->startService();
    const auto transport = setup.reactor.connectors.back()->succeed();
    const auto stopped = setup.client->stopService();
    const auto again = setup.client->stopService();
    CHECK_FALSE(fired(stopped));
    CHECK(transport->disconnecting());
    setup.reactor.flush();
    CHECK(fired(stopped));
    CHECK(fired(again));
    setup.reactor.advance(1h);
    CHECK(setup.attempts() == 3);
    CHECK(setup.reactor.leftBehind().empty());
}

TEST_CASE("startService while the service is stopping connects again after the loss (RC-7)") {
    Setup setup;
    setup.client->startService();
    setup.reactor.connectors.back()->succeed();
    const auto stopped = setup.client->stopService();
    setup.client->startService();
    const Outcome waiting(setup.client->whenConnected());
    CHECK(setup.attempts() == 1);
    setup.reactor.flush();
    CHECK(fired(stopped));
    CHECK(setup.attempts() == 2);
    setup.reactor.connectors.back()->succeed();
    CHECK(waiting.ok());
    setup.client->stopService();
    setup.reactor.flush();
    CHECK(setup.reactor.leftBehind().empty());
}

TEST_CASE("a connection counts when it has been prepared; a failure of that is a failed attempt (RC-8)") {
    Deferred<void> preparing;
    Setup setup([&](const std::shared_ptr<Protocol>& protocol) {
        CHECK(protocol->connected());
        preparing = Deferred<void>();
        return preparing;
    });
    setup.client->startService();
    const Outcome first(setup.client->whenConnected(1));
    Outcome second(setup.client->whenConnected());
    const auto transport = setup.reactor.connectors.back()->succeed();
    CHECK_FALSE(second.fired());
    preparing.errback(ValueError("wrong password"));
    CHECK(first.failed<ValueError>());
    CHECK(transport->disconnecting());
    setup.reactor.advance(1s);
    REQUIRE(setup.attempts() == 2);
    setup.reactor.connectors.back()->succeed();
    preparing.callback();
    CHECK(second.ok());
    second.forget();
    setup.client->stopService();
    setup.reactor.flush();
    CHECK(setup.reactor.leftBehind().empty());
}

TEST_CASE("a connection that is lost while it is prepared is a failed attempt (RC-8)") {
    Setup setup([](const std::shared_ptr<Protocol>&) { return Deferred<void>(); });
    setup.client->startService();
    const Outcome waiting(setup.client->whenConnected(1));
    setup.reactor.connectors.back()->succeed();
    setup.reactor.connectors.back()->lose(failureOf<ConnectionLost>());
    setup.reactor.flush();
    CHECK(waiting.failed<defer::CancelledError>());
    setup.reactor.advance(1s);
    CHECK(setup.attempts() == 2);
    CHECK(fired(setup.client->stopService()));
}

TEST_CASE("the default policy grows by half up to a minute, and adds up to a second by chance (RC-5)") {
    const auto policy = service::backoffPolicy(1s, 60s, 1.5, [] { return 0.5; });
    CHECK(policy(1) == 2s);
    CHECK(policy(2) == 2750ms);
    CHECK(policy(100) == 60500ms);
    CHECK(policy(1000000) == 60500ms);
    const auto atOnce = service::backoffPolicy(0s, 60s, 1.5, [] { return 0.5; });
    CHECK(atOnce(1) == 500ms);
    CHECK(atOnce(1000000) == 500ms);
    const auto steep = service::backoffPolicy(1s, 60s, 1e300, [] { return 0.5; });
    CHECK(steep(1000000) == 60500ms);
    const auto chance = service::backoffPolicy();
    for (int i = 0; i < 100; ++i) {
        const Duration delay = chance(1);
        CHECK(delay >= 1500ms);
        CHECK(delay < 2500ms);
    }
}

TEST_CASE("a protocol that cancels its own scope has one connection all the same (RC-7)") {
    Setup setup;
    setup.client->startService();
    setup.reactor.connectors.back()->succeed();
    const auto protocol = testing::successResultOf(setup.client->whenConnected());
    protocol->scope().cancel();
    setup.reactor.advance(10s);
    CHECK(setup.attempts() == 1);
    const auto stopped = setup.client->stopService();
    CHECK_FALSE(fired(stopped));
    setup.reactor.advance(100ms);
    CHECK(fired(stopped));
    CHECK_FALSE(protocol->connected());
}
