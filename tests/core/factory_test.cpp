#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/log.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;

namespace {

using Strings = std::vector<std::string>;

class Named : public Protocol {
public:
    explicit Named(std::string n, int v = 0) : name(std::move(n)), number(v) {}
    void connectionMade() override { factoryWhenMade = factory().get(); }
    std::string name;
    int number;
    Factory* factoryWhenMade = nullptr;
};

class Counting : public Factory {
public:
    Strings calls;
    bool refuse = false;
    bool failStart = false;
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        return refuse ? nullptr : std::make_shared<Protocol>();
    }
    void startFactory() override {
        calls.emplace_back("start");
        if (failStart) throw ValueError("cannot start");
    }
    void stopFactory() override { calls.emplace_back("stop"); }
};

const Address kAddress = IPv4Address("127.0.0.1", 80);

}  // namespace

TEST_CASE(
    "startFactory comes with the first port, stopFactory with the last, again and again; an extra doStop is harmless "
    "(PF-3)") {
    const auto factory = std::make_shared<Counting>();
    factory->noisy = false;
    factory->doStop();
    CHECK(factory->calls.empty());
    factory->doStart();
    factory->doStart();
    CHECK(factory->numPorts() == 2);
    factory->doStop();
    CHECK(factory->calls == Strings{"start"});
    factory->doStop();
    CHECK(factory->calls == Strings{"start", "stop"});
    factory->doStop();
    CHECK(factory->numPorts() == 0);
    factory->doStart();
    CHECK(factory->calls == Strings{"start", "stop", "start"});
}

TEST_CASE("a factory whose start fails is not started") {
    const auto factory = std::make_shared<Counting>();
    factory->noisy = false;
    factory->failStart = true;
    CHECK_THROWS_AS(factory->doStart(), ValueError);
    CHECK(factory->numPorts() == 0);
    factory->failStart = false;
    factory->doStart();
    CHECK(factory->calls == Strings{"start", "start"});
}

TEST_CASE("starting and stopping is logged only by a noisy factory (PF-4)") {
    Strings logged;
    const int observer = log::addObserver([&](const log::Event& event) { logged.emplace_back(event.text); });
    const auto factory = Factory::forProtocol<Named>(std::string("x"));
    factory->doStart();
    factory->doStop();
    REQUIRE(logged.size() == 2);
    CHECK(logged[0].starts_with("Starting factory "));
    CHECK(logged[0].ends_with("Named"));
    CHECK(logged[1].starts_with("Stopping factory "));
    factory->noisy = false;
    factory->doStart();
    log::removeObserver(observer);
    CHECK(logged.size() == 2);
}

TEST_CASE("forProtocol makes a protocol from copies of its arguments for each connection (PF-2)") {
    std::string name = "first";
    const auto factory = Factory::forProtocol<Named>(name, 7);
    name = "changed";
    const auto one = std::dynamic_pointer_cast<Named>(factory->build(kAddress));
    const auto two = std::dynamic_pointer_cast<Named>(factory->build(kAddress));
    REQUIRE(one);
    CHECK(one != two);
    CHECK(one->name == "first");
    CHECK(two->number == 7);

    const auto client = ClientFactory::forProtocol<Named>(std::string("client"));
    static_assert(std::derived_from<std::remove_reference_t<decltype(*client)>, ClientFactory>);
    static_assert(std::same_as<std::remove_reference_t<decltype(*client)>::ProtocolType, Named>);
    CHECK(std::dynamic_pointer_cast<Named>(client->build(kAddress))->name == "client");
}

TEST_CASE("a protocol has its factory before connectionMade, and shares it (PF-5)") {
    auto factory = Factory::forProtocol<Named>(std::string("x"));
    Factory* const raw = factory.get();
    const auto protocol = std::dynamic_pointer_cast<Named>(factory->build(kAddress));
    factory.reset();
    protocol->makeConnection(std::make_shared<testing::StringTransport>());
    CHECK(protocol->factoryWhenMade == raw);
    CHECK(protocol->factory().get() == raw);
    protocol->deliverConnectionLost(failureOf<ConnectionDone>());
}

TEST_CASE("a link that buildProtocol has set itself is kept") {
    class Delegating : public Factory {
    public:
        std::shared_ptr<Factory> other = std::make_shared<Counting>();
        std::shared_ptr<Protocol> buildProtocol(const Address& address) override { return other->build(address); }
    };
    const auto factory = std::make_shared<Delegating>();
    CHECK(factory->build(kAddress)->factory() == factory->other);
}

TEST_CASE("a factory may refuse a connection (TR-15)") {
    const auto factory = std::make_shared<Counting>();
    CHECK(factory->build(kAddress) != nullptr);
    factory->refuse = true;
    CHECK(factory->build(kAddress) == nullptr);
}

TEST_CASE("a factory has no protocol names of its own, and a client factory ignores client events by default") {
    const auto factory = ClientFactory::forProtocol<Named>(std::string("x"));
    CHECK(factory->acceptableProtocols().empty());
    CHECK(std::make_shared<Counting>()->logPrefix().ends_with("Counting"));
}
