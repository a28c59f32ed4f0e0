// A DrainListener is found under TLS, and on an onion at any depth.

#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Counts how often it is told.
class Drained : public TLSApplication, public DrainListener {
public:
    void draining() override {
        CHECK(connected());
        ++told;
    }
    int told = 0;
};

class DrainedOnion : public OnionApplication, public DrainListener {
public:
    void draining() override { ++told; }
    int told = 0;
};

void drain(Protocol& outermost) {
    auto* const listener = outermost.provides<DrainListener>();
    REQUIRE(listener != nullptr);
    listener->draining();
}

}  // namespace

TEST_CASE("a DrainListener under TLS is told before, during and after the handshake, once it is connected") {
    for (const auto made : {ConnectionMade::beforeHandshake, ConnectionMade::afterHandshake}) {
        for (const int turns : {0, 1, 1000}) {
            CAPTURE(turns);
            const auto client = std::make_shared<TLSApplication>();
            const auto server = std::make_shared<Drained>();
            const auto factory =
                std::make_shared<TLSMemoryBIOFactory>(ssl::CertificateOptions(serverParameters()), ssl::Role::server,
                                                      std::make_shared<OneProtocolFactory>(server), made);
            const auto outside = factory->buildProtocol(Address());
            testing::IOPump pump(underTLS(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate()),
                                          ssl::Role::client, client),
                                 outside);
            for (int i = 0; i < turns; ++i) pump.pump();
            drain(*outside);
            pump.flush();
            CHECK(server->made == 1);
            CHECK(server->handshakes == 1);
            CHECK(server->told == 1);
            server->transport().loseConnection();
            pump.flush();
            CHECK(client->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("a DrainListener under TLS that was never connected, or is gone, is not told") {
    const auto server = std::make_shared<Drained>();
    const auto factory = std::make_shared<TLSMemoryBIOFactory>(
        ssl::CertificateOptions(serverParameters()), ssl::Role::server, std::make_shared<OneProtocolFactory>(server),
        ConnectionMade::afterHandshake);
    const auto outside = factory->buildProtocol(Address());
    const auto client = std::make_shared<Protocol>();
    testing::IOPump pump(client, outside);
    drain(*outside);
    client->transport().loseConnection();
    pump.flush();
    drain(*outside);
    CHECK(server->made == 0);
    CHECK(server->told == 0);
}

TEST_CASE("a DrainListener on an onion is told at every depth") {
    const auto server = std::make_shared<DrainedOnion>();
    const auto onion = std::make_shared<OnionProtocol>(nullptr, server);
    const auto client = std::make_shared<OnionApplication>();
    testing::IOPump pump(std::make_shared<OnionProtocol>(nullptr, client), onion);
    const ssl::CertificateOptions serverOptions(serverParameters());
    const auto clientOptions = ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    for (int depth = 0; depth <= 2; ++depth) {
        drain(*onion);
        CHECK(server->told == depth + 1);
        server->onion().startTLS(serverOptions, ssl::Role::server);
        client->onion().startTLS(clientOptions, ssl::Role::client);
        pump.flush();
    }
    client->transport().loseConnection();
    pump.flush();
    drain(*onion);
    CHECK(server->told == 3);
}
