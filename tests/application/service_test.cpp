#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>

#include <torsion/application/multi_service.hpp>
#include <torsion/application/stream_server_endpoint_service.hpp>
#include <torsion/application/timer_service.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/results.hpp>
#include <torsion/tests/outcome.hpp>
#include <torsion/transports/tcp_endpoints.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using namespace torsion::service;
using test::Outcome;
using testing::MemoryReactor;

namespace {

/// Writes down what it is told.
class Noting : public Service {
public:
    Noting(const std::string& name, std::string& text) : text_(text) { setName(name); }
    void privilegedStartService() override { text_ += name() + "p "; }
    void startService() override {
        Service::startService();
        text_ += name() + "+ ";
    }
    Deferred<void> stopService() override {
        text_ += name() + "- ";
        Service::stopService();
        return ending;
    }
    Deferred<void> ending = defer::succeed();

private:
    std::string& text_;
};

bool fired(const Deferred<void>& deferred) { return deferred.called() && !deferred.paused(); }

}  // namespace

TEST_CASE("a MultiService starts its services in order, and stops them in the reverse order, all at once (SV-1)") {
    std::string text;
    const auto all = std::make_shared<MultiService>();
    const auto a = std::make_shared<Noting>("a", text);
    const auto b = std::make_shared<Noting>("b", text);
    all->addService(a);
    all->addService(b);
    CHECK(a->parent() == all.get());
    all->privilegedStartService();
    all->startService();
    CHECK(text == "ap bp a+ b+ ");
    CHECK(all->running());
    text.clear();
    b->ending = Deferred<void>();
    const auto stopped = all->stopService();
    CHECK(text == "b- a- ");
    CHECK_FALSE(fired(stopped));
    b->ending.callback();
    CHECK(fired(stopped));
    CHECK_FALSE(all->running());
}

TEST_CASE("a service that is added to one that runs starts at once, and one that is removed stops (SV-2)") {
    std::string text;
    const auto all = std::make_shared<MultiService>();
    all->startService();
    const auto a = std::make_shared<Noting>("a", text);
    all->addService(a);
    CHECK(text == "ap a+ ");
    CHECK(fired(all->removeService(a)));
    CHECK(text == "ap a+ a- ");
    CHECK(a->parent() == nullptr);
    CHECK_THROWS_AS(all->removeService(a), ValueError);
}

TEST_CASE("services are found by their names, of which each is there once (SV-3)") {
    std::string text;
    const auto all = std::make_shared<MultiService>();
    const auto a = std::make_shared<Noting>("a", text);
    all->addService(a);
    CHECK(all->getServiceNamed("a") == a);
    CHECK_THROWS_WITH_AS(all->getServiceNamed("b"), "there is no service called 'b'; there are: a", ValueError);
    CHECK_THROWS_AS(all->addService<Noting>("a", text), ValueError);
    CHECK_THROWS_AS(all->addService(a), RuntimeError);
    CHECK_THROWS_AS(all->addService(nullptr), ValueError);
    CHECK_THROWS_AS(a->setName("c"), RuntimeError);
    all->addService(std::make_shared<Service>());
    all->addService(std::make_shared<Service>());  // without names as many as you like
}

TEST_CASE("a service that fails to stop holds up nobody (SV-4)") {
    std::string text;
    testing::LoggedErrors logged;
    const auto all = std::make_shared<MultiService>();
    const auto a = std::make_shared<Noting>("a", text);
    a->ending = defer::fail(ValueError("stuck"));
    all->addService(a);
    all->startService();
    CHECK(fired(all->stopService()));
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(logged.size() == 0);
}

TEST_CASE("a TimerService calls while it runs, and stays when its function fails (SV-6)") {
    task::Clock clock;
    int calls = 0;
    TimerService timer(clock, 1s, [&] { ++calls; });
    timer.startService();
    clock.advance(1s);
    CHECK(calls == 2);
    CHECK(fired(timer.stopService()));
    clock.advance(5s);
    CHECK(calls == 2);

    testing::LoggedErrors logged;
    TimerService failing(clock, 1s, [] { throw ValueError("no"); });
    failing.startService();
    REQUIRE(logged.size() == 1);
    CHECK(logged.entries()[0].why == "Failure running timed service");
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(failing.running());
    CHECK(fired(failing.stopService()));
}

TEST_CASE("a TimerService that stops waits for the call that is under way (SV-6)") {
    task::Clock clock;
    const Deferred<void> slow;
    TimerService timer(clock, 1s, [&] { return slow; });
    timer.startService();
    const auto stopped = timer.stopService();
    CHECK_FALSE(fired(stopped));
    slow.callback();
    CHECK(fired(stopped));
}

TEST_CASE("a StreamServerEndpointService listens from privilegedStartService to stopService (SV-5)") {
    MemoryReactor reactor;
    const auto endpoint = std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, 80);
    const auto server = std::make_shared<StreamServerEndpointService>(endpoint, Factory::forProtocol<Protocol>());
    const Outcome never(server->whenListening());
    server->stopService();
    CHECK(never.failed<defer::CancelledError>());
    const Outcome early(server->whenListening());
    server->privilegedStartService();
    CHECK(reactor.ports.size() == 1);
    CHECK(early.value() == reactor.ports.front());
    server->startService();
    CHECK(reactor.ports.size() == 1);
    const Outcome port(server->whenListening());
    CHECK(port.value() == reactor.ports.front());
    const Deferred<void> stopped = server->stopService();
    testing::assertNoResult(stopped);
    reactor.flush();
    testing::successResultOf(stopped);
    server->startService();
    CHECK(reactor.ports.size() == 2);
    server->stopService();
    reactor.flush();
    CHECK(reactor.leftBehind().empty());
}

TEST_CASE("a StreamServerEndpointService that cannot listen says so in the log, or by an exception (EN-6)") {
    testing::RaisingMemoryReactor reactor(CannotListenError("", 80, EADDRINUSE));
    testing::LoggedErrors logged;
    const auto endpoint = std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, 80);
    const auto server = std::make_shared<StreamServerEndpointService>(endpoint, Factory::forProtocol<Protocol>());
    server->startService();
    REQUIRE(logged.size() == 1);
    CHECK(logged.entries()[0].why == "while listening");
    CHECK(logged.flush<CannotListenError>().size() == 1);
    CHECK(Outcome(server->whenListening()).failed<CannotListenError>());
    CHECK(fired(server->stopService()));
    server->raiseSynchronously = true;
    CHECK_THROWS_AS(server->startService(), CannotListenError);
    CHECK(logged.size() == 0);
}

TEST_CASE("services that are added while all start do start, once (SV-1)") {
    std::string text;
    class Adding : public Service {
    public:
        Adding(MultiService& all, std::string& notes, bool privileged) : all_(all), notes_(notes), first_(privileged) {}
        void privilegedStartService() override {
            if (first_) all_.addService<Noting>("early", notes_);
        }
        void startService() override {
            Service::startService();
            if (!first_) all_.addService<Noting>("late", notes_);
        }

    private:
        MultiService& all_;
        std::string& notes_;
        bool first_;
    };
    const auto all = std::make_shared<MultiService>();
    all->addService<Adding>(*all, text, true);
    all->addService<Adding>(*all, text, false);
    all->privilegedStartService();
    CHECK(text == "earlyp ");
    all->startService();
    CHECK(text == "earlyp early+ late+ ");
    all->stopService();
}

TEST_CASE("who hears of the port may stop the service, and the others hear that (SV-5)") {
    MemoryReactor reactor;
    const auto endpoint = std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, 80);
    const auto server = std::make_shared<StreamServerEndpointService>(endpoint, Factory::forProtocol<Protocol>());
    bool heard = false;
    server->whenListening().addCallback([&](const std::shared_ptr<ListeningPort>&) {
        heard = true;
        server->stopService();
    });
    const Outcome second(server->whenListening());
    server->startService();
    CHECK(heard);
    CHECK(second.failed<defer::CancelledError>());
    reactor.flush();
    CHECK(reactor.leftBehind().empty());
}

TEST_CASE("services that are stopped before they are ready fail whenReady once, without a word in the log") {
    MemoryReactor reactor;
    testing::LoggedErrors logged;
    const auto all = std::make_shared<MultiService>();
    for (const int port : {80, 81}) {
        const auto endpoint = std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, port);
        all->addService<StreamServerEndpointService>(endpoint, Factory::forProtocol<Protocol>());
    }
    bool cancelled = false;
    all->whenReady().addErrback([&](const Failure& failure) { cancelled = failure.check<defer::CancelledError>(); });
    all->stopService();
    CHECK(cancelled);
    CHECK(logged.size() == 0);
}
