#include <torsion/tests/application/running.hpp>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("an application starts with its reactor, and drains and stops before that ends") {
    Lines lines;
    Served<Draining> served;
    CHECK(served.services == "sp s+ ");
    CHECK(served.reactor.ports.at(0)->listening());
    served.stop();
    CHECK(served.services == "sp s+ s~ s- ");
    served.isOver();
    CHECK_FALSE(lines.has("Draining:"));
    CHECK_FALSE(lines.has("Drained"));
}

TEST_CASE("a drain stops to accept, and waits for connections to end by themselves") {
    Lines lines;
    Served<Plain> served;
    const auto first = served.accept();
    const auto second = served.accept();
    served.stop();
    CHECK_FALSE(served.reactor.ports.at(0)->listening());
    CHECK(served.running->state() == State::draining);
    CHECK(lines.has("Draining: waiting for 2 connections to end, 30 s at most"));
    CHECK(served.services == "sp s+ s~ ");  // what the connections may need is still there
    first->protocol()->dataReceived("still here?");
    CHECK(first->value() == "still here?");
    first->loseConnection();
    served.reactor.advance(29s);
    CHECK(served.running->state() == State::draining);
    CHECK(served.story.text == "done ");
    second->loseConnection();
    served.reactor.flush();
    CHECK(served.story.text == "done done ");
    CHECK(served.services == "sp s+ s~ s- ");
    CHECK(lines.has("Drained 2 connections, aborted 0"));
    served.isOver();
}

TEST_CASE("connections that are left at the end of the drain are aborted") {
    Lines lines;
    Served<Plain> served({.drainTime = 5s});
    const auto first = served.accept();
    const auto second = served.accept();
    served.stop();
    first->loseConnection();
    served.reactor.advance(4999ms);
    CHECK(served.story.text == "done ");
    served.reactor.advance(1ms);
    CHECK(served.story.text == "done aborted ");
    CHECK(second->aborted());
    CHECK(lines.has("Drained 1 connections, aborted 1"));
    served.isOver();
}

TEST_CASE("without time to drain, those who close at once end well, and the others are aborted") {
    SUBCASE("they close") {
        Served<Draining> served({.drainTime = 0s});
        served.accept();
        served.stop();
        CHECK(served.story.text == "draining done ");
        served.isOver();
    }
    SUBCASE("they do not") {
        Served<Plain> served({.drainTime = 0s});
        served.accept();
        served.stop();
        CHECK(served.story.text == "aborted ");
        served.isOver();
    }
}

TEST_CASE("a DrainListener is told once, through what wraps it, and may close at once or later") {
    Served<Draining> served;
    served.story.closes = false;
    const auto busy = served.accept();
    served.stop();
    CHECK(served.story.text == "draining ");
    served.reactor.advance(10s);
    CHECK(served.running->state() == State::draining);
    busy->loseConnection();
    served.reactor.flush();
    CHECK(served.story.text == "draining done ");
    served.isOver();
}

TEST_CASE("what draining throws is logged, and ends that connection only") {
    LoggedErrors errors;
    Served<Draining> served;
    served.accept();
    served.accept();
    int told = 0;
    served.story.onDraining = [&] {
        if (++told == 1) throw ValueError("no");
    };
    served.stop();
    CHECK(errors.flush<ValueError>().size() == 1);
    CHECK(served.story.text.find("lost ") != std::string::npos);  // by its ValueError
    CHECK(served.story.text.find("done ") != std::string::npos);
    served.isOver();
}

TEST_CASE("a second signal ends the drain, and a third one the wait for the services") {
    Served<Plain> served;
    served.other->ending = Deferred<void>();
    served.accept();
    served.stop();
    CHECK(served.running->state() == State::draining);
    served.hurry();
    CHECK(served.story.text == "aborted ");
    CHECK(served.services == "sp s+ s~ s- ");
    CHECK(served.running->state() == State::stopping);
    served.hurry();
    served.isOver();
}

TEST_CASE("two signals at once leave no time to drain") {
    Served<Plain> served;
    served.accept();
    served.reactor.stop();
    served.reactor.fireSystemEvent("hurry");
    served.reactor.flush();
    CHECK(served.story.text == "aborted ");
    served.isOver();
}

TEST_CASE("services that drain are waited for as connections are") {
    Lines lines;
    Served<Plain> served({.drainTime = 5s});
    served.other->draining = Deferred<void>();
    served.stop();
    served.reactor.advance(4s);
    CHECK(served.services == "sp s+ s~ ");
    SUBCASE("they finish") {
        served.other->draining.callback();
        served.reactor.flush();
    }
    SUBCASE("they fail, which is logged") {
        LoggedErrors errors;
        served.other->draining.errback(ValueError("stuck"));
        served.reactor.flush();
        CHECK(errors.flush<ValueError>().size() == 1);
    }
    SUBCASE("they take too long") {
        served.reactor.advance(1s);
        CHECK(lines.has("The services have not drained"));
        CHECK(lines.has("No longer waiting for drain of 's'"));
        served.other->draining.callback();  // which comes too late, and harms nobody
    }
    CHECK(served.services == "sp s+ s~ s- ");
    served.isOver();
}

TEST_CASE("services that do not stop do not hold up the end for longer than stopTime") {
    Lines lines;
    Served<Plain> served({.stopTime = 3s});
    served.other->ending = Deferred<void>();
    served.stop();
    served.reactor.advance(2999ms);
    CHECK(served.running->state() == State::stopping);
    served.reactor.advance(1ms);
    CHECK(lines.has("The services have not stopped after 3 s"));
    CHECK(lines.has("No longer waiting for stopService of 's'"));
    served.isOver();
}

TEST_CASE("the connections of clients do not hold up the drain") {
    Served<Plain> served;
    std::string ended;
    class Client : public Protocol {
    public:
        explicit Client(std::string* text) : text_(*text) {}
        void connectionLost(const Failure&) override { text_ += "lost "; }

    private:
        std::string& text_;
    };
    served.reactor.connectTCP("example.com", 80, ClientFactory::forProtocol<Client>(&ended));
    served.reactor.connectors.at(0)->succeed();
    CHECK(served.reactor.acceptedProtocols().empty());
    served.stop();
    served.isOver();
    CHECK(ended == "lost ");
}

TEST_CASE("what cannot start is stopped again, and says why in one line") {
    LoggedErrors errors;
    Lines lines;
    ServiceManager manager;
    std::string text;
    MemoryReactor reactor;
    const auto application = std::make_shared<MultiService>();
    const auto first = std::make_shared<Noting>(text, "a");
    const auto second = std::make_shared<Noting>(text, "b");
    application->addService(first);
    application->addService(second);
    int status = 69;
    std::string why = "The application could not start: no\n";
    SUBCASE("privilegedStartService") {
        second->onPrivilegedStart = [] { throw ValueError("no"); };
    }
    SUBCASE("startService") {
        second->onStart = [] { throw ValueError("no"); };
    }
    SUBCASE("whenReady") { second->rising = defer::fail(ValueError("no")); }
    SUBCASE("task::Exit") {
        second->onStart = [] { throw task::Exit(3); };
        status = 3;
        why = "";
    }
    const auto running = startApplication(reactor, application);
    reactor.start();
    reactor.flush();
    CHECK(text.find("b- a- ") != std::string::npos);
    CHECK_FALSE(first->running());
    CHECK(running->status() == status);
    CHECK(running->state() == State::stopped);
    CHECK_FALSE(reactor.running());
    CHECK(lines.text.substr(0, why.size()) == why);
    CHECK(manager.all() == (why.empty() ? "STOPPING=1 " : "STATUS=The application could not start: no STOPPING=1 "));
    CHECK(reactor.leftBehind() == std::vector<std::string>());
}

TEST_CASE("a port that is taken fails the start with the endpoint's words") {
    LoggedErrors errors;
    Lines lines;
    testing::RaisingMemoryReactor reactor(CannotListenError("", 80, 98));
    const auto server = std::make_shared<StreamServerEndpointService>(
        std::make_shared<endpoints::TCP4ServerEndpoint>(reactor, 80), Factory::forProtocol<Protocol>());
    SUBCASE("logged by the service, too") {}
    SUBCASE("raised") { server->raiseSynchronously = true; }
    const auto running = startApplication(reactor, server);
    reactor.start();
    reactor.flush();
    CHECK(running->status() == 69);
    CHECK(lines.has("The application could not start: Couldn't listen on any:80: "));
    CHECK(errors.flush<CannotListenError>().size() == (server->raiseSynchronously ? 0U : 1U));
}

TEST_CASE("an application needs a service, and times that are not negative") {
    MemoryReactor reactor;
    CHECK_THROWS_AS(startApplication(reactor, nullptr), ValueError);
    CHECK_THROWS_AS(startApplication(reactor, std::make_shared<Service>(), {.drainTime = -1s}), ValueError);
    CHECK_THROWS_AS(startApplication(reactor, std::make_shared<Service>(), {.stopTime = -1s}), ValueError);
    CHECK(reactor.triggers().empty());
}

TEST_CASE("who lets go of a running application holds up nothing") {
    Served<Plain> served;
    served.accept();
    served.stop();
    CHECK(served.running->state() == State::draining);
    served.running.reset();
    served.reactor.flush();
    CHECK_FALSE(served.reactor.running());
}

TEST_CASE("run makes a reactor and an application, and gives the status") {
    LoggedErrors errors;
    Lines lines;
    std::string text;
    const auto stopping = [&](Reactor& reactor) {
        auto service = std::make_shared<Noting>(text);
        service->onStart = [&reactor] { reactor.callLater(0s, [&reactor] { reactor.stop(); }); };
        return service;
    };
    CHECK(run(stopping) == 0);
    CHECK(text == "sp s+ s~ s- ");
    CHECK(run([](Reactor&) -> std::shared_ptr<Service> { throw ValueError("no such thing"); }) == 78);
    CHECK(lines.has("The application could not be made: no such thing"));
    CHECK(run([](Reactor&) -> std::shared_ptr<Service> { return nullptr; }) == 78);
    CHECK(run([](Reactor&) -> std::shared_ptr<Service> { throw task::Exit(5); }) == 5);
}

TEST_CASE("a reactor knows the connections that peers began, on every kind of port, and a drain finds them under TLS") {
    LoggedErrors errors;
    const test::TemporaryFolder folder;
    Story story;
    Story clients;
    LibeventReactor reactor;
    const auto& certificate = ssl::test::exampleCertificate();
    const auto application = std::make_shared<MultiService>();
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const Socket one(pair[0]), other(pair[1]);

    class Ports : public Service {
    public:
        std::vector<std::shared_ptr<ListeningPort>> ports;
        Deferred<void> drain() override {
            for (const auto& port : ports) port->stopListening();
            return defer::succeed();
        }
    };
    const auto ports = std::make_shared<Ports>();
    application->addService(ports);
    const auto factory = Factory::forProtocol<Draining>(&story);
    ports->ports = {reactor.listenTCP(0, factory, 50, "127.0.0.1"),
                    reactor.listenSSL(0, factory, certificate.options(), 50, "127.0.0.1"),
                    reactor.listenUNIX(folder.file("socket"), factory)};
    const auto client = ClientFactory::forProtocol<Plain>(&clients);
    reactor.connectTCP("127.0.0.1", ports->ports[0]->getHost().port(), client);
    reactor.connectSSL("127.0.0.1", ports->ports[1]->getHost().port(), client,
                       ssl::optionsForClientTLS("example.com", certificate));
    reactor.connectUNIX(folder.file("socket"), client);
    reactor.adoptStreamConnection(other.descriptor(), Address::Kind::unixPath, factory);
    std::function<void()> look = [&] {
        const ReactorCounters counters = reactor.counters();
        if (reactor.acceptedProtocols().size() < 4 || counters.connectionsMade < 3 || counters.handshakes < 2) {
            reactor.callLater(1ms, [&] { look(); });
            return;
        }
        CHECK(reactor.acceptedProtocols().size() == 4);
        reactor.stop();
    };
    reactor.callLater(0s, [&] { look(); });
    reactor.callLater(60s, [&] { reactor.crash(); });
    CHECK(run(reactor, application) == 0);
    INFO(story.text);
    std::string said = story.text;
    for (const std::string expected : {"draining ", "done "}) {
        for (int i = 0; i < 4; ++i) {
            const auto place = said.find(expected);
            REQUIRE(place != std::string::npos);
            said.erase(place, expected.size());
        }
    }
    CHECK(said.empty());
}

namespace {

/// Ends its own scope before its connection.
class Tidy : public Draining {
public:
    using Draining::Draining;
    void draining() override {
        scope().cancel();
        Draining::draining();
    }
};

}  // namespace

TEST_CASE("a protocol that cancels its own scope is waited for as others are") {
    Lines lines;
    Served<Tidy> served;
    served.accept();
    served.stop();
    served.reactor.advance(100ms);
    CHECK(served.story.text == "draining done ");
    CHECK(lines.has("Drained 1 connections, aborted 0"));
    served.isOver();
}

TEST_CASE("who hurries while it is told to drain leaves nobody else to be told") {
    Served<Draining> served;
    served.story.closes = false;
    served.story.onDraining = [&] { served.reactor.fireSystemEvent("hurry"); };
    served.accept();
    served.accept();
    served.stop();
    CHECK(served.story.text == "draining aborted aborted ");
    served.isOver();
}

TEST_CASE("a hurry without an end to hurry to is forgotten") {
    Served<Plain> served;
    served.hurry();
    served.reactor.advance(1s);
    const auto connection = served.accept();
    served.stop();
    served.reactor.advance(1s);
    CHECK(served.running->state() == State::draining);
    connection->loseConnection();
    served.reactor.flush();
    served.isOver();
}

TEST_CASE("services without a name are named by their type") {
    Lines lines;
    Served<Plain> served({.drainTime = 1s});
    served.application->addService<Noting>(served.services, "")->draining = Deferred<void>();
    served.stop();
    served.reactor.advance(1s);
    CHECK(lines.has("No longer waiting for drain of a torsion::test::Noting"));
    served.isOver();
}
