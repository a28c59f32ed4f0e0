#include <doctest/doctest.h>

#include <memory>

#include <torsion/core/error.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>
#include <torsion/transports/connect_protocol.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>

#include "../outcome.hpp"
#include "../tls/credentials.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;

namespace {

class Greeter : public Protocol {
public:
    void connectionMade() override {
        if (broken) throw ValueError("not over TLS");
        transport().write("hello");
    }
    bool broken = false;
};

std::shared_ptr<StreamClientEndpoint> overTLS(MemoryReactor& reactor) {
    const auto options = ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    return wrapClientTLS(options, std::make_shared<TCP4ClientEndpoint>(reactor, "127.0.0.1", 443));
}

}  // namespace

TEST_CASE("wrapClientTLS gives the application's protocol, and TLS stands between (TLS-1, EP-1) (EN-3)") {
    MemoryReactor reactor;
    const auto protocol = std::make_shared<Greeter>();
    const Outcome outcome(connectProtocol(overTLS(reactor), protocol));
    const auto transport = reactor.connectors.back()->succeed();
    CHECK(outcome.value() == protocol);
    CHECK(protocol->transport().query<SSLTransport>() != nullptr);
    CHECK(dynamic_cast<TLSMemoryBIOProtocol*>(&protocol->transport()) != nullptr);
    reactor.advance(Duration::zero());
    const Bytes& written = transport->value();
    REQUIRE_FALSE(written.empty());
    CHECK(written[0] == 22);  // a handshake record: the ClientHello
    CHECK(written.find("hello") == Bytes::npos);
    reactor.connectors.back()->lose(failureOf<ConnectionDone>());
    reactor.flush();
}

TEST_CASE("wrapClientTLS keeps the type that the factory is known for (EP-1)") {
    MemoryReactor reactor;
    const Outcome outcome(overTLS(reactor)->connect(Factory::forProtocol<Greeter>()));
    reactor.connectors.back()->succeed();
    CHECK_FALSE(outcome.value()->broken);
    reactor.connectors.back()->lose(failureOf<ConnectionDone>());
    reactor.flush();
}

TEST_CASE("failures pass through wrapClientTLS (EP-2, EP-3, D11)") {
    MemoryReactor reactor;
    const auto endpoint = overTLS(reactor);
    const Outcome refused(connectProtocol(endpoint, std::make_shared<Greeter>()));
    reactor.connectors.back()->fail(failureOf<ConnectionRefusedError>());
    CHECK(refused.failed<ConnectionRefusedError>());

    const Outcome empty(connectProtocol(endpoint, std::shared_ptr<Greeter>()));
    reactor.connectors.back()->succeed();
    CHECK(empty.failed<NoProtocol>());

    const auto protocol = std::make_shared<Greeter>();
    protocol->broken = true;
    const Outcome raised(connectProtocol(endpoint, protocol));
    testing::LoggedErrors logged;
    reactor.connectors.back()->succeed();
    reactor.flush();
    CHECK(logged.flush<ValueError>().size() == 1);
    CHECK(raised.failed<ValueError>());

    const auto result = connectProtocol(endpoint, std::make_shared<Greeter>());
    const Outcome cancelled(result);
    result.cancel();
    CHECK(cancelled.failed<ConnectingCancelledError>());

    CHECK(Outcome(endpoint->connectFactory(nullptr)).failed<TypeError>());
    CHECK_THROWS_AS(wrapClientTLS(ssl::optionsForClientTLS("example.com"), nullptr), TypeError);
}
