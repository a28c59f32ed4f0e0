#include <torsion/tests/application/running.hpp>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("a service manager hears READY when all services are up, and STOPPING at the end") {
    ServiceManager manager;
    std::string text;
    MemoryReactor reactor;
    const auto service = std::make_shared<Noting>(text);
    service->rising = Deferred<void>();
    const auto running = startApplication(reactor, service, {.drainTime = 20s, .stopTime = 10s});
    reactor.start();
    CHECK(manager.next() == "nothing");
    CHECK(running->state() == State::starting);
    service->rising.callback();
    CHECK(manager.next() == "READY=1");
    CHECK(running->state() == State::running);
    reactor.stop();
    reactor.flush();
    CHECK(manager.next() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000");
    CHECK(manager.next() == "nothing");
}

TEST_CASE("a signal during the start stops what has started, and nobody hears READY") {
    ServiceManager manager;
    std::string text;
    MemoryReactor reactor;
    const auto service = std::make_shared<Noting>(text);
    service->rising = Deferred<void>();
    const auto running = startApplication(reactor, service);
    reactor.start();
    reactor.stop();
    reactor.flush();
    CHECK(text == "sp s+ s~ s- ");
    CHECK(running->status() == 0);
    service->rising.errback(failureOf<defer::CancelledError>());
    CHECK(running->status() == 0);
    CHECK(manager.all() == "STOPPING=1 ");
}

TEST_CASE("a watchdog hears of the reactor twice in its interval, from READY to the end") {
    ServiceManager manager;
    const EnvironmentVariable interval("WATCHDOG_USEC", "2000000");
    Served<Plain> served;
    CHECK(manager.all() == "READY=1 WATCHDOG=1 ");
    served.reactor.advance(999ms);
    CHECK(manager.all() == "");
    served.reactor.advance(1ms);
    CHECK(manager.all() == "WATCHDOG=1 ");
    const auto slow = served.accept();
    served.stop();
    served.reactor.advance(1s);
    CHECK(manager.all() == "STOPPING=1 STATUS=Draining: waiting for 1 connections to end WATCHDOG=1 ");
    slow->loseConnection();
    served.reactor.flush();
    served.isOver();
}

TEST_CASE("the watchdog's interval is that of this process") {
    CHECK_FALSE(watchdogInterval());
    const EnvironmentVariable interval("WATCHDOG_USEC", "1500000");
    CHECK(watchdogInterval() == Duration(1500ms));
    {
        const EnvironmentVariable other("WATCHDOG_PID", "1");
        CHECK_FALSE(watchdogInterval());
    }
    {
        const EnvironmentVariable own("WATCHDOG_PID", std::to_string(::getpid()));
        CHECK(watchdogInterval() == Duration(1500ms));
    }
    for (const char* nonsense : {"", "0", "-1", "1s", "9223372036854775807"}) {
        const EnvironmentVariable bad("WATCHDOG_USEC", nonsense);
        CHECK_FALSE(watchdogInterval());
    }
}

TEST_CASE("notifications go to a path or an abstract name, or are logged as failed") {
    SUBCASE("nobody asked") { CHECK_FALSE(sdNotify("READY=1")); }
    SUBCASE("a path") {
        ServiceManager manager;
        CHECK(sdNotify("STATUS=one\nREADY=1"));
        CHECK(manager.next() == "STATUS=one\nREADY=1");
    }
    SUBCASE("an abstract name") {
        ServiceManager manager(true);
        CHECK(sdNotify("READY=1"));
        CHECK(manager.next() == "READY=1");
    }
    SUBCASE("somewhere else") {
        Lines lines;
        for (const std::string& wrong : {std::string("vsock:2:1234"), std::string("relative"),
                                         "/" + std::string(107, 'x'), std::string("/nowhere/at/all")}) {
            const EnvironmentVariable variable("NOTIFY_SOCKET", wrong);
            lines.text.clear();
            CHECK_FALSE(sdNotify("READY=1"));
            CHECK(lines.has("NOTIFY_SOCKET='" + wrong + "'"));
        }
    }
    SUBCASE("a manager that does not read is not waited for") {
        Lines lines;
        ServiceManager manager;
        int sent = 0;
        while (sent < 100000 && sdNotify("STATUS=again")) ++sent;
        CHECK(sent < 100000);
        CHECK(lines.has("Could not tell the service manager"));
    }
}

TEST_CASE("READY is repeated while the service manager has too much to read") {
    ServiceManager manager;
    LoggedErrors errors;
    Lines lines;
    while (sdNotify("STATUS=busy")) {
    }
    Served<Plain> served;
    CHECK(lines.has("Could not tell the service manager"));
    CHECK(manager.all().find("READY=1") == std::string::npos);
    served.reactor.advance(100ms);
    CHECK(manager.all() == "READY=1 ");
    served.reactor.advance(10s);
    CHECK(manager.all().empty());
    served.stop();
    served.isOver();
}
