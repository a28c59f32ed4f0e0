#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/factory.hpp>
#include <torsion/core/log.hpp>
#include <torsion/protocols/protocol_proxy.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/onion.hpp>
#include <torsion/tls/onion_protocol.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>

namespace torsion::test {

using namespace std::chrono_literals;

/// What lies below all layers.
enum class Wire { tcp, unixSocket };

/// A way to put a protocol on a socket: by itself, or on layers.
struct Stack {
    std::string name;
    bool isTLS;
    std::function<std::shared_ptr<Factory>(ssl::Role, std::shared_ptr<Factory>)> wrap;
    Wire wire = Wire::tcp;

    /// Whether a peer can tell an abort from an orderly end: UNIX sockets know no reset, TLS notices without.
    bool tellsAborts() const { return wire == Wire::tcp || isTLS; }
};

inline const ssl::ContextFactory& recipe(ssl::Role role) {
    static const ssl::CertificateOptions server(ssl::test::exampleCertificate());
    static const ssl::ClientTLSOptions client =
        ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    if (role == ssl::Role::server) return server;
    return client;
}

/// An onion that has two layers from the start.
class ReadyOnion : public OnionProtocol {
public:
    ReadyOnion(std::shared_ptr<WrappingFactory> factory, std::shared_ptr<Protocol> protocol, ssl::Role role)
        : OnionProtocol(std::move(factory), std::move(protocol)), role_(role) {}
    void connectionMade() override {
        for (int i = 0; i < 2; ++i) OnionProtocol::startTLS(recipe(role_), role_);
        OnionProtocol::connectionMade();
    }

private:
    ssl::Role role_;
};

class ReadyOnionFactory : public WrappingFactory {
public:
    ReadyOnionFactory(std::shared_ptr<Factory> wrapped, ssl::Role role)
        : WrappingFactory(std::move(wrapped)), role_(role) {}
    std::shared_ptr<ProtocolWrapper> wrap(std::shared_ptr<Protocol> protocol) override {
        return std::make_shared<ReadyOnion>(self(), std::move(protocol), role_);
    }

private:
    ssl::Role role_;
};

/// Goes over to TLS before its protocol is connected.
class UpgradingProxy : public ProtocolProxy {
public:
    UpgradingProxy(std::shared_ptr<Protocol> protocol, ssl::Role role)
        : ProtocolProxy(std::move(protocol)), role_(role) {}
    void makeConnection(std::shared_ptr<Transport> transport) override {
        transport->as<TLSTransport>().startTLS(recipe(role_));
        ProtocolProxy::makeConnection(std::move(transport));
    }

private:
    ssl::Role role_;
};

class UpgradingFactory : public ClientFactory {
public:
    UpgradingFactory(std::shared_ptr<Factory> wrapped, ssl::Role role) : wrapped_(std::move(wrapped)), role_(role) {
        noisy = false;
    }
    std::shared_ptr<Protocol> buildProtocol(const Address& address) override {
        std::shared_ptr<Protocol> protocol = wrapped_->build(address);
        return protocol ? std::make_shared<UpgradingProxy>(std::move(protocol), role_) : nullptr;
    }
    void clientConnectionFailed(Connector& connector, const Failure& reason) override {
        dynamic_cast<ClientFactory&>(*wrapped_).clientConnectionFailed(connector, reason);
    }
    void clientConnectionLost(Connector& connector, const Failure& reason) override {
        dynamic_cast<ClientFactory&>(*wrapped_).clientConnectionLost(connector, reason);
    }

private:
    std::shared_ptr<Factory> wrapped_;
    ssl::Role role_;
};

inline std::shared_ptr<Factory> overTLS(ssl::Role role, std::shared_ptr<Factory> factory) {
    return std::make_shared<TLSMemoryBIOFactory>(recipe(role), role, std::move(factory));
}

/// All of them over TCP, which is the first, then over UNIX sockets.
inline const std::vector<Stack>& stacks() {
    static const std::vector<Stack> overTCP{
        {"TCP", false, [](ssl::Role, std::shared_ptr<Factory> factory) { return factory; }},
        {"TLS", true, overTLS},
        {"TLS in TLS", true,
         [](ssl::Role role, std::shared_ptr<Factory> factory) {
             return overTLS(role, overTLS(role, std::move(factory)));
         }},
        {"onion with two layers", true,
         [](ssl::Role role, std::shared_ptr<Factory> factory) -> std::shared_ptr<Factory> {
             return std::make_shared<ReadyOnionFactory>(std::move(factory), role);
         }},
        {"onion without a layer", false,
         [](ssl::Role, std::shared_ptr<Factory> factory) -> std::shared_ptr<Factory> {
             return std::make_shared<OnionFactory>(std::move(factory));
         }},
        {"TLS by startTLS", true,
         [](ssl::Role role, std::shared_ptr<Factory> factory) -> std::shared_ptr<Factory> {
             return std::make_shared<UpgradingFactory>(std::move(factory), role);
         }},
    };
    static const std::vector<Stack> all = [] {
        std::vector<Stack> both = overTCP;
        for (Stack stack : overTCP) {
            stack.name += " over a UNIX socket";
            stack.wire = Wire::unixSocket;
            both.push_back(std::move(stack));
        }
        return both;
    }();
    return all;
}

/// A protocol that does what the test says, and remembers what happened.
class Actor : public Protocol {
public:
    void connectionMade() override {
        ++made;
        if (onMade) onMade();
    }
    void dataReceived(BytesView data) override {
        CHECK(!data.empty());
        CHECK(made == 1);
        CHECK(lost == 0);
        received.append(data);
        if (onData) onData(data);
    }
    void connectionLost(const Failure& why) override {
        ++lost;
        reason = std::make_unique<Failure>(why);
        if (onLost) onLost();
    }

    /// "ConnectionDone": the reason's type without its namespace.
    std::string why() const {
        if (!reason) return "not lost";
        const std::string name = reason->typeName();
        return name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
    }

    int made = 0, lost = 0;
    Bytes received;
    std::unique_ptr<Failure> reason;
    std::function<void()> onMade, onLost;
    std::function<void(BytesView)> onData;
};

/// Hands out one protocol, once.
class OneShotFactory : public ClientFactory {
public:
    explicit OneShotFactory(std::shared_ptr<Protocol> protocol) : protocol_(std::move(protocol)) { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(protocol_, nullptr); }
    void clientConnectionFailed(Connector&, const Failure& why) override { failed = std::make_unique<Failure>(why); }
    void clientConnectionLost(Connector&, const Failure&) override { ++clientLost; }
    std::unique_ptr<Failure> failed;
    int clientLost = 0;

private:
    std::shared_ptr<Protocol> protocol_;
};

/// Runs @p reactor until @p done. It leaves without a shutdown, so that connections stay.
inline void until(LibeventReactor& reactor, const std::function<bool()>& done, const char* what = "") {
    bool timedOut = false;
    DelayedCall limit = reactor.callLater(30s, [&] {
        timedOut = true;
        reactor.crash();
    });
    std::function<void()> look = [&] {
        if (done()) {
            reactor.crash();
        } else {
            reactor.callLater(100us, [&look] { look(); });
        }
    };
    reactor.callWhenRunning([&look] { look(); });
    reactor.run(false);
    for (DelayedCall& call : reactor.getDelayedCalls()) {
        if (timedOut && call.active() && call.getTime() <= reactor.seconds() + 1ms) call.cancel();
    }
    if (limit.active()) limit.cancel();
    REQUIRE_MESSAGE(!timedOut, "waited too long ", what);
}

/// Two actors connected over a real socket, on one reactor.
class Link {
public:
    explicit Link(const Stack& stack) : stack_(stack) {}

    /// Connects. Set the actors' callbacks before.
    void connect() {
        auto serverFactory = std::make_shared<OneShotFactory>(server);
        const auto serving = stack_.wrap(ssl::Role::server, serverFactory);
        clientFactory = std::make_shared<OneShotFactory>(client);
        const auto connecting = std::dynamic_pointer_cast<ClientFactory>(stack_.wrap(ssl::Role::client, clientFactory));
        if (stack_.wire == Wire::tcp) {
            port = reactor.listenTCP(0, serving, 50, "127.0.0.1");
            reactor.connectTCP("127.0.0.1", port->getHost().port(), connecting);
        } else {
            port = reactor.listenUNIX(folder_.file("socket"), serving);
            reactor.connectUNIX(folder_.file("socket"), connecting);
        }
        until(
            reactor, [&] { return client->made == 1 && server->made == 1; }, "for the connection");
    }

    void untilBothLost() {
        until(
            reactor, [&] { return client->lost > 0 && server->lost > 0; }, "for both ends to be lost");
    }

    /// Lets everything that is under way happen.
    void settle() {
        int turns = 0;
        until(reactor, [&] { return ++turns > 20; });
    }

    LibeventReactor reactor;
    std::shared_ptr<Actor> client = std::make_shared<Actor>();
    std::shared_ptr<Actor> server = std::make_shared<Actor>();
    std::shared_ptr<OneShotFactory> clientFactory;
    std::shared_ptr<ListeningPort> port;

private:
    Stack stack_;
    TemporaryFolder folder_;
};

/// A megabyte in which every place is different from its neighbours.
inline Bytes pattern(std::size_t size) {
    Bytes bytes(size, '\0');
    std::uint32_t state = 12345;
    for (char& octet : bytes) {
        state = state * 1664525U + 1013904223U;
        octet = static_cast<char>(state >> 24);
    }
    return bytes;
}

}  // namespace torsion::test

/// A test case that is run over every stack.
#define TORSION_CONTRACT_NAME2(line) contractBody##line
#define TORSION_CONTRACT_NAME(line) TORSION_CONTRACT_NAME2(line)
#define CONTRACT_CASE(title)                                                  \
    static void TORSION_CONTRACT_NAME(__LINE__)(const torsion::test::Stack&); \
    TEST_CASE(title) {                                                        \
        for (const torsion::test::Stack& stack : torsion::test::stacks()) {   \
            CAPTURE(stack.name);                                              \
            TORSION_CONTRACT_NAME(__LINE__)(stack);                           \
        }                                                                     \
    }                                                                         \
    static void TORSION_CONTRACT_NAME(__LINE__)(const torsion::test::Stack& stack)
