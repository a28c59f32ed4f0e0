// What every stream transport promises about data and its end.

#include <torsion/testing/logged_errors.hpp>
#include <torsion/tests/contract/stacks.hpp>

using namespace torsion;
using namespace torsion::test;

CONTRACT_CASE("octets arrive in the order of write and writeSequence (TR-1)") {
    Link link(stack);
    const Bytes big = pattern(1U << 20);
    link.client->onMade = [&] {
        link.client->transport().write("first,");
        const BytesView pieces[] = {"second,", "third,"};
        link.client->transport().writeSequence(pieces);
        link.client->transport().write(Bytes(big));
        link.client->transport().write(BytesView(big));
    };
    link.connect();
    const Bytes expected = "first,second,third," + big + big;
    until(link.reactor, [&] { return link.server->received.size() >= expected.size(); });
    CHECK(link.server->received == expected);
}

CONTRACT_CASE("loseConnection sends what was written, then closes; both ends hear of a clean end (TR-3) (CL-1)") {
    Link link(stack);
    const Bytes big = pattern(3U << 20);
    link.client->onMade = [&] {
        link.client->transport().write(big);
        link.client->transport().loseConnection();
        link.client->transport().loseConnection();
        CHECK(link.client->transport().disconnecting());
        CHECK(link.client->lost == 0);
    };
    link.connect();
    link.untilBothLost();
    link.settle();
    CHECK(link.server->received == big);
    CHECK(link.client->why() == "ConnectionDone");
    CHECK(link.server->why() == "ConnectionDone");
    CHECK(link.client->lost == 1);
    CHECK(link.server->lost == 1);
    CHECK(link.clientFactory->clientLost == 1);
}

CONTRACT_CASE("nothing is delivered after loseConnection (TR-3) (D24)") {
    Link link(stack);
    link.server->onMade = [&] { link.server->transport().write("hello"); };
    link.client->onData = [&](BytesView) {
        link.client->transport().loseConnection();
        link.client->onData = [](BytesView) { FAIL("delivered after loseConnection"); };
    };
    link.server->onData = [](BytesView) {};
    link.connect();
    for (int i = 0; i < 5; ++i) link.server->transport().write("more and more");
    link.untilBothLost();
    CHECK(link.client->lost == 1);
}

CONTRACT_CASE("nothing is delivered after abortConnection, of what one read brought either (TR-7) (TLS-13)") {
    Link link(stack);
    link.client->onData = [&](BytesView) {
        link.client->transport().abortConnection();
        link.client->onData = [](BytesView) { FAIL("delivered after abortConnection"); };
    };
    link.connect();
    link.settle();
    link.server->transport().write(Bytes(40000, 'x'));  // several records, and no more than one read
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionAborted");
}

CONTRACT_CASE("pauseProducing after loseConnection does not hold up the close (TR-14)") {
    Link link(stack);
    link.connect();
    link.settle();
    link.client->transport().loseConnection();
    link.client->transport().pauseProducing();
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionDone");
    CHECK(link.server->why() == "ConnectionDone");
}

CONTRACT_CASE("abortConnection drops what is queued, tells us in a later turn, and resets the peer (TR-7)") {
    Link link(stack);
    link.connect();
    link.settle();
    link.client->transport().write(pattern(8U << 20));
    link.client->transport().abortConnection();
    link.client->transport().abortConnection();
    link.client->transport().loseConnection();
    CHECK(link.client->lost == 0);
    CHECK(link.client->transport().disconnecting());
    link.untilBothLost();
    CHECK(link.client->why() == "ConnectionAborted");
    if (stack.tellsAborts()) {
        CHECK(link.server->reason->check<ConnectionLost>());
    } else {
        CHECK(link.server->why() == "ConnectionDone");
    }
    CHECK(link.server->received.size() < (8U << 20));
    CHECK(link.client->lost == 1);
}

CONTRACT_CASE("after the loss every method is silent, and the addresses stay readable (TR-2) (TR-16)") {
    Link link(stack);
    Address peerInside;
    link.client->onLost = [&] { peerInside = link.client->transport().getPeer(); };
    link.connect();
    const Address host = link.client->transport().getHost(), peer = link.client->transport().getPeer();
    link.settle();
    link.client->transport().loseConnection();
    link.untilBothLost();
    Transport& transport = link.client->transport();
    transport.write("ignored");
    transport.write(Bytes("ignored"));
    transport.loseConnection();
    transport.abortConnection();
    transport.failConnection(failureOf<ConnectionLost>());
    transport.pauseProducing();
    transport.resumeProducing();
    transport.unregisterProducer();
    CHECK(transport.getHost() == host);
    CHECK(transport.getPeer() == peer);
    CHECK(peerInside == peer);
    CHECK((stack.wire == Wire::tcp ? host.port() != 0 : host.kind() == Address::Kind::unixPath));
    link.settle();
    CHECK(link.client->lost == 1);
}

CONTRACT_CASE("a paused transport delivers nothing, a resumed one all (TR-14) (PC-7)") {
    Link link(stack);
    const Bytes big = pattern(700001);
    int deliveries = 0;
    link.server->onData = [&](BytesView) {
        if (++deliveries % 3 != 0) return;
        link.server->transport().pauseProducing();
        const int before = deliveries;
        link.reactor.callLater(0s, [&, before] {
            CHECK(deliveries == before);
            link.server->transport().resumeProducing();
        });
    };
    link.connect();
    link.client->transport().write(big);
    until(link.reactor, [&] { return link.server->received.size() == big.size(); });
    CHECK(link.server->received == big);
}

CONTRACT_CASE("resumeProducing after loseConnection delivers nothing (TR-14)") {
    Link link(stack);
    link.connect();
    link.settle();
    link.client->transport().pauseProducing();
    link.server->transport().write("unwanted");
    link.settle();
    link.client->transport().loseConnection();
    link.client->transport().resumeProducing();
    link.untilBothLost();
    CHECK(link.client->received.empty());
}

CONTRACT_CASE("an exception in dataReceived is logged, ends this connection only, and is the reason (TR-13)") {
    class Custom : public std::exception {
        const char* what() const noexcept override { return "the application's own"; }
    };
    Link link(stack);
    testing::LoggedErrors logged;
    link.server->onData = [](BytesView) { throw Custom(); };
    link.connect();
    link.client->transport().write("now");
    link.untilBothLost();
    CHECK(logged.flush<Custom>().size() == 1);
    CHECK(logged.size() == 0);
    CHECK(link.server->reason->check<Custom>());
    CHECK(!link.client->reason->check<Custom>());
}

CONTRACT_CASE("an exception in connectionMade is the reason of the loss (CL-4) (D11)") {
    Link link(stack);
    testing::LoggedErrors logged;
    link.server->onMade = [] { throw ValueError("not today"); };
    link.connect();
    link.untilBothLost();
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(logged.size() == 0);
    CHECK(link.server->why() == "ValueError");
    CHECK(link.server->lost == 1);
}

CONTRACT_CASE("the end of the reactor is a ConnectionLost for every live connection (CL-3)") {
    Link link(stack);
    link.connect();
    link.reactor.callWhenRunning([&] { link.reactor.stop(); });
    link.reactor.run(false);
    CHECK(link.client->why() == "ConnectionLost");
    CHECK(link.server->why() == "ConnectionLost");
}

TEST_CASE("a reactor that is destroyed without a stop tells its connections, and leaves nothing behind (CL-1)") {
    for (const Stack& stack : stacks()) {
        CAPTURE(stack.name);
        std::shared_ptr<Actor> client, server;
        std::weak_ptr<Transport> transport;
        {
            Link link(stack);
            link.connect();
            client = link.client;
            server = link.server;
            transport = client->transportHandle();
        }
        CHECK(client->why() == "ConnectionLost");
        CHECK(server->why() == "ConnectionLost");
        client->transport().write("into the void");
        client->transport().loseConnection();
        client.reset();
        CHECK(transport.expired());
    }
}

CONTRACT_CASE("failConnection ends with the reason that it was given, and drops later writes") {
    Link link(stack);
    link.connect();
    link.settle();
    link.client->transport().write("before");
    link.client->transport().failConnection(ValueError("something is wrong"));
    link.client->transport().write("after");
    link.untilBothLost();
    CHECK(link.client->why() == "ValueError");
    CHECK(link.server->received == "before");
}

CONTRACT_CASE("output above the cap ends the connection, one large write does not (D25)") {
    Link link(stack);
    link.connect();
    link.settle();
    link.server->transport().pauseProducing();
    link.client->transport().as<TCPTransport>().setOutputLimit(1U << 20);
    link.client->transport().write(Bytes(16U << 20, 'x'));
    link.settle();
    CHECK(link.client->lost == 0);
    link.client->transport().write(Bytes(20000, 'x'));
    link.client->transport().write("one more");
    until(link.reactor, [&] { return link.client->lost == 1; });
    CHECK(link.client->why() == "OutputLimitExceeded");
}

CONTRACT_CASE("no object of a connection is left when it is over") {
    std::weak_ptr<Protocol> client, server;
    std::weak_ptr<Transport> clientTransport, serverTransport;
    Link link(stack);
    link.connect();
    clientTransport = link.client->transportHandle();
    serverTransport = link.server->transportHandle();
    link.client->transport().loseConnection();
    link.untilBothLost();
    link.settle();
    client = link.client;
    server = link.server;
    link.client = std::make_shared<Actor>();
    link.server = std::make_shared<Actor>();
    CHECK(client.expired());
    CHECK(server.expired());
    CHECK(clientTransport.expired());
    CHECK(serverTransport.expired());
}
