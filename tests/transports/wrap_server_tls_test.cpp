#include <doctest/doctest.h>

#include <cerrno>
#include <memory>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/server_name_map.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_server_tls.hpp>

#include "../outcome.hpp"
#include "../tls/credentials.hpp"
#include "../tls/tls_fixture.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;

namespace {

/// Keeps the factory that it is told to listen with.
class RememberingEndpoint final : public StreamServerEndpoint {
public:
    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> listening) override {
        factory = std::move(listening);
        return defer::succeed(reactor.listenTCP(1, factory));
    }
    std::shared_ptr<Factory> factory;
    MemoryReactor reactor;
};

}  // namespace

TEST_CASE("wrapServerTLS speaks TLS over any server endpoint (EP-1, SNI)") {
    const auto wrapped = std::make_shared<RememberingEndpoint>();
    const ssl::ServerNameMap map(ssl::ServerNameMap::Entries().add(ssl::test::issued({"a.example"}).options()));
    const auto endpoint = wrapServerTLS(map, wrapped);
    const auto application = std::make_shared<test::TLSApplication>();
    const Outcome outcome(endpoint->listen(std::make_shared<test::OneProtocolFactory>(application)));
    CHECK(outcome.ok());
    test::TLSPair pair;
    pair.server = application;
    pair.serverOutside = wrapped->factory->buildProtocol(Address());
    pair.connectWith(ssl::optionsForClientTLS("a.example", ssl::test::authority()));
    pair.up();
    pair.inTurn([&] { pair.client->transport().write("hello"); });
    pair.flush();
    CHECK(application->received == "hello");
}

TEST_CASE("errors of wrapServerTLS come through the Deferred, but for a missing endpoint (EP-4)") {
    MemoryReactor reactor;
    testing::RaisingMemoryReactor full(CannotListenError("", 443, EADDRINUSE));
    const auto tcp = std::make_shared<TCP4ServerEndpoint>(reactor, 443);
    const auto factory = std::make_shared<test::OneProtocolFactory>(std::make_shared<test::TLSApplication>());
    const auto good = wrapServerTLS(ssl::test::exampleCertificate().options(), tcp);
    CHECK(Outcome(good->listen(nullptr)).failed<TypeError>());
    const auto client = wrapServerTLS(test::goodClient(), tcp);
    CHECK(Outcome(client->listen(factory)).failed<TypeError>());
    const auto taken =
        wrapServerTLS(ssl::test::exampleCertificate().options(), std::make_shared<TCP4ServerEndpoint>(full, 443));
    CHECK(Outcome(taken->listen(factory)).failed<CannotListenError>());
    CHECK(Outcome(good->listen(factory)).ok());
    CHECK(Outcome(good->listen(factory)).ok());  // any number of times (EP-5)
    CHECK_THROWS_AS(wrapServerTLS(ssl::test::exampleCertificate().options(), nullptr), TypeError);
}
