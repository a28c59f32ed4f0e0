#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include <torsion/core/connector.hpp>
#include <torsion/protocols/protocol_proxy.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>
#include <torsion/protocols/transport_proxy.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;
using torsion::testing::AccumulatingProtocol;
using torsion::testing::StringTransport;

namespace {

/// A factory that notes what it is told.
class DiaryFactory : public ClientFactory {
public:
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(next, nullptr); }
    void startFactory() override { diary.emplace_back("start"); }
    void stopFactory() override { diary.emplace_back("stop"); }
    void startedConnecting(Connector&) override { diary.emplace_back("connecting"); }
    void clientConnectionFailed(Connector&, const Failure&) override { diary.emplace_back("failed"); }
    void clientConnectionLost(Connector&, const Failure&) override { diary.emplace_back("lost"); }
    void protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure*) override {
        diary.emplace_back(dynamic_cast<AccumulatingProtocol*>(protocol.get()) != nullptr ? "connected mine"
                                                                                          : "connected other");
    }
    std::shared_ptr<Protocol> next = std::make_shared<AccumulatingProtocol>();
    std::vector<std::string> diary;
};

class NoConnector : public Connector {
public:
    void connect() override {}
    void disconnect() override {}
    void stopConnecting() override {}
    Address getDestination() const override { return {}; }
    State state() const override { return State::disconnected; }
};

/// A transport that counts what arrives.
class CountingTransport : public StringTransport {
public:
    void registerProducer(std::shared_ptr<Producer>, bool) override { ++arrivals; }
    void unregisterProducer() override { ++arrivals; }
    void pauseProducing() override { ++arrivals; }
    void resumeProducing() override { ++arrivals; }
    void stopProducing() override { ++arrivals; }
    void loseConnection() override { ++arrivals; }
    void abortConnection() override { ++arrivals; }
    void failConnection(const Failure&) override { ++arrivals; }
    Address getPeer() const override { return ++arrivals, Address(); }
    Address getHost() const override { return ++arrivals, Address(); }
    bool disconnecting() const override { return ++arrivals, false; }
    void loseWriteConnection() override { ++arrivals; }
    bool getTcpNoDelay() const override { return ++arrivals, false; }
    void setTcpNoDelay(bool) override { ++arrivals; }
    bool getTcpKeepAlive() const override { return ++arrivals, false; }
    void setTcpKeepAlive(bool) override { ++arrivals; }
    void setFinishWriting(bool) override { ++arrivals; }
    void setOutputLimit(std::size_t) override { ++arrivals; }
    void setCloseTimeout(Duration) override { ++arrivals; }
    std::size_t bufferedBytes() const override { return static_cast<std::size_t>(++arrivals); }
    mutable int arrivals = 0;

protected:
    void writeView(BytesView) override { ++arrivals; }
    void writeOwned(Bytes&&) override { ++arrivals; }
};

/// Proxies of which nothing is overridden: that these can be made shows that no method was forgotten.
class EmptyTransportProxy : public TransportProxy {
public:
    using TransportProxy::TransportProxy;
};
class EmptyProtocolProxy : public ProtocolProxy {
public:
    using ProtocolProxy::ProtocolProxy;
};
static_assert(!std::is_abstract_v<EmptyTransportProxy>);
static_assert(!std::is_abstract_v<EmptyProtocolProxy>);

}  // namespace

TEST_CASE("every call on three proxies arrives once at the original (IF-4)") {
    const auto original = std::make_shared<CountingTransport>();
    std::shared_ptr<Transport> outermost = original;
    for (int i = 0; i < 3; ++i) outermost = std::make_shared<EmptyTransportProxy>(outermost);
    auto& tcp = outermost->as<TCPTransport>();
    Transport& transport = *outermost;
    const std::vector<std::function<void()>> calls{
        [&] { transport.write("view"); },
        [&] { transport.write(Bytes("owned")); },
        [&] { transport.registerProducer(nullptr, true); },
        [&] { transport.unregisterProducer(); },
        [&] { transport.pauseProducing(); },
        [&] { transport.resumeProducing(); },
        [&] { transport.stopProducing(); },
        [&] { transport.loseConnection(); },
        [&] { transport.abortConnection(); },
        [&] { transport.failConnection(failureOf<ConnectionLost>()); },
        [&] { transport.getPeer(); },
        [&] { transport.getHost(); },
        [&] { transport.disconnecting(); },
        [&] { tcp.loseWriteConnection(); },
        [&] { tcp.getTcpNoDelay(); },
        [&] { tcp.setTcpNoDelay(true); },
        [&] { tcp.getTcpKeepAlive(); },
        [&] { tcp.setTcpKeepAlive(true); },
        [&] { tcp.setFinishWriting(true); },
        [&] { tcp.setOutputLimit(1); },
        [&] { tcp.setCloseTimeout(std::chrono::seconds(1)); },
        [&] { tcp.bufferedBytes(); },
    };
    int expected = 0;
    for (const auto& call : calls) {
        call();
        CHECK(original->arrivals == ++expected);
    }
    CHECK(&transport.turn() == &original->turn());
}

TEST_CASE("a protocol proxy passes every callback on, and its original sees the transport itself (IF-4)") {
    const auto original = std::make_shared<AccumulatingProtocol>();
    const auto proxy = std::make_shared<EmptyProtocolProxy>(original);
    const auto transport = std::make_shared<StringTransport>();
    proxy->makeConnection(transport);
    CHECK(original->made);
    CHECK(&original->transport() == transport.get());
    proxy->dataReceived("data");
    CHECK(original->data == "data");
    proxy->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(original->closedReason->check<ConnectionDone>());
    CHECK(proxy->original() == nullptr);
}

TEST_CASE("a wrapper registers with its factory before the wrapped connectionMade (PO-1)") {
    class Looking : public AccumulatingProtocol {
    public:
        explicit Looking(const WrappingFactory& f) : factory_(f) {}
        void connectionMade() override { registered = factory_.protocols().size(); }
        std::size_t registered = 0;

    private:
        const WrappingFactory& factory_;
    };
    const auto inner = std::make_shared<DiaryFactory>();
    const auto factory = std::make_shared<WrappingFactory>(inner);
    const auto protocol = std::make_shared<Looking>(*factory);
    inner->next = protocol;
    const auto wrapper = factory->build(Address());
    CHECK(protocol->factory() == inner);
    CHECK(factory->protocols().empty());
    wrapper->makeConnection(std::make_shared<StringTransport>());
    CHECK(protocol->registered == 1);
    wrapper->deliverConnectionLost(failureOf<ConnectionDone>());
    CHECK(factory->protocols().empty());
}

TEST_CASE("a wrapping factory passes on start, stop and the events of a client (PO-2)") {
    const auto inner = std::make_shared<DiaryFactory>();
    const auto factory = std::make_shared<WrappingFactory>(inner);
    NoConnector connector;
    factory->doStart();
    factory->startedConnecting(connector);
    factory->clientConnectionFailed(connector, failureOf<TimeoutError>());
    const auto wrapper = factory->build(Address());
    factory->protocolConnected(wrapper, nullptr);
    factory->clientConnectionLost(connector, failureOf<ConnectionDone>());
    factory->doStop();
    CHECK(inner->diary == std::vector<std::string>{"start", "connecting", "failed", "connected mine", "lost", "stop"});
}

TEST_CASE("nothing is wrapped when the wrapped factory builds nothing (PO-3) (D12)") {
    const auto inner = std::make_shared<DiaryFactory>();
    inner->next = nullptr;
    CHECK(std::make_shared<WrappingFactory>(inner)->build(Address()) == nullptr);
}

TEST_CASE("loseConnection on a wrapper shows as disconnecting there (PO-4)") {
    const auto wrapper = std::make_shared<ProtocolWrapper>(nullptr, std::make_shared<AccumulatingProtocol>());
    wrapper->makeConnection(std::make_shared<StringTransport>());
    CHECK(!wrapper->wrappedProtocol()->transport().disconnecting());
    wrapper->loseConnection();
    CHECK(wrapper->wrappedProtocol()->transport().disconnecting());
    wrapper->deliverConnectionLost(failureOf<ConnectionDone>());
}

TEST_CASE("a wrapper lets go of what it wraps when the loss is delivered, and a second loss goes nowhere (CL-5)") {
    std::weak_ptr<Protocol> wrapped;
    const auto transport = std::make_shared<StringTransport>();
    std::shared_ptr<ProtocolWrapper> outer;
    {
        const auto protocol = std::make_shared<AccumulatingProtocol>();
        wrapped = protocol;
        std::shared_ptr<Protocol> inner = protocol;
        for (int i = 0; i < 10; ++i) inner = outer = std::make_shared<ProtocolWrapper>(nullptr, std::move(inner));
        outer->makeConnection(transport);
        outer->dataReceived("through ten");
        CHECK(protocol->data == "through ten");
        outer->deliverConnectionLost(failureOf<ConnectionDone>());
        CHECK(protocol->closed);
    }
    CHECK(outer->wrappedProtocol() == nullptr);
    outer->deliverConnectionLost(failureOf<ConnectionLost>());
    transport->turn().end();
    CHECK(wrapped.expired());
}
