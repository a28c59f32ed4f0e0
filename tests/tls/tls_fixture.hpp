#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/engine.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion::test {

using namespace std::chrono_literals;

/// An application under TLS that does what the test says, and remembers what happened.
class TLSApplication : public Protocol, public HandshakeListener {
public:
    void connectionMade() override {
        ++made;
        if (onMade) onMade();
    }
    void handshakeCompleted() override {
        CHECK(received.empty());
        CHECK(!reason);
        ++handshakes;
        if (onHandshake) onHandshake();
    }
    void dataReceived(BytesView data) override {
        CHECK(!data.empty());
        CHECK(!reason);
        received.append(data);
        if (onData) onData(data);
    }
    void connectionLost(const Failure& why) override {
        ++lost;
        reason = why;
        if (onLost) onLost();
    }

    SSLTransport& ssl() { return transport().as<SSLTransport>(); }

    /// "ConnectionDone": the reason's type without its namespace.
    std::string why() const {
        if (!reason) return "not lost";
        const std::string name = reason->typeName();
        return name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
    }

    int made = 0, handshakes = 0, lost = 0;
    Bytes received;
    std::optional<Failure> reason;
    std::function<void()> onMade, onHandshake, onLost;
    std::function<void(BytesView)> onData;
};

/// Hands out one protocol.
class OneProtocolFactory : public Factory {
public:
    explicit OneProtocolFactory(std::shared_ptr<Protocol> protocol, std::vector<std::string> protocols = {})
        : protocol_(std::move(protocol)), protocols_(std::move(protocols)) {}
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(protocol_, nullptr); }
    std::vector<std::string> acceptableProtocols() const override { return protocols_; }

private:
    std::shared_ptr<Protocol> protocol_;
    std::vector<std::string> protocols_;
};

/// @p application under TLS, as TLSMemoryBIOFactory makes it.
inline std::shared_ptr<Protocol> underTLS(const ssl::ContextFactory& options, ssl::Role role,
                                          std::shared_ptr<Protocol> application,
                                          std::vector<std::string> acceptableProtocols = {}) {
    const auto factory = std::make_shared<TLSMemoryBIOFactory>(
        options, role, std::make_shared<OneProtocolFactory>(std::move(application), std::move(acceptableProtocols)));
    return factory->buildProtocol(Address());
}

/// A peer made of an engine alone, which does nothing that the test does not say: it never answers a close_notify.
class EnginePeer : public Protocol, private ssl::Engine::Output {
public:
    EnginePeer(const ssl::ContextFactory& options, ssl::Role role) : engine(options.newSession(role, {}), *this) {}

    void connectionMade() override { step({}); }
    void dataReceived(BytesView data) override { step(data); }
    void connectionLost(const Failure& reason) override { lost = reason; }

    void say(BytesView data) { CHECK(engine.write(data) == ssl::Engine::Outcome::ok); }
    void sendCloseNotify() { CHECK(engine.shutdown() == ssl::Engine::Outcome::ok); }
    /// What fn makes the engine send, kept back.
    Bytes sealed(const std::function<void()>& fn) {
        capturing_ = true;
        fn();
        capturing_ = false;
        return std::exchange(captured_, Bytes());
    }

    ssl::Engine engine;
    bool handshakeDone = false, heardClose = false, broken = false;
    Bytes received;
    std::optional<Failure> lost;

private:
    void ciphertext(BytesView data) override {
        if (capturing_) {
            captured_.append(data);
        } else {
            transport().write(data);
        }
    }

    void step(BytesView data) {
        engine.feed(data);
        if (!handshakeDone) {
            const auto outcome = engine.handshake();
            handshakeDone = outcome == ssl::Engine::Outcome::ok;
            broken = outcome == ssl::Engine::Outcome::failed;
        }
        char room[16384];
        while (handshakeDone && !heardClose && !broken) {
            std::size_t got = 0;
            const auto outcome = engine.read(room, got);
            if (outcome == ssl::Engine::Outcome::wantsInput) break;
            if (outcome == ssl::Engine::Outcome::ok) received.append(room, got);
            heardClose = outcome == ssl::Engine::Outcome::closed;
            broken = outcome == ssl::Engine::Outcome::failed;
        }
        engine.release();
    }

    bool capturing_ = false;
    Bytes captured_;
};

/// Takes the octets of one direction apart into records (RFC 8446, 5.1).
class RecordLog {
public:
    static constexpr int kAlert = 21, kHandshake = 22, kApplicationData = 23;

    void see(BytesView data) {
        wire.append(data);
        while (wire.size() - next_ >= 5) {
            const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(wire[next_ + i]); };
            const std::size_t size = static_cast<std::size_t>(octet(3)) << 8U | octet(4);
            if (wire.size() - next_ - 5 < size) return;
            types.push_back(octet(0));
            next_ += 5 + size;
        }
    }
    int count(int type) const { return static_cast<int>(std::count(types.begin(), types.end(), type)); }
    bool contains(BytesView text) const { return wire.find(text) != Bytes::npos; }

    Bytes wire;
    std::vector<int> types;

private:
    std::size_t next_ = 0;
};

inline ssl::CertificateOptions::Parameters serverParameters(ssl::TLSVersion highest = ssl::TLSVersion::TLSv1_3) {
    return ssl::CertificateOptions::Parameters(ssl::test::exampleCertificate()).lowerMaximumSecurityTo(highest);
}

inline ssl::ClientTLSOptions goodClient() {
    return ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
}

/// Two applications under TLS, connected in memory. Set what differs, then start().
class TLSPair {
public:
    explicit TLSPair(ssl::TLSVersion highest = ssl::TLSVersion::TLSv1_3) {
        serve(ssl::CertificateOptions(serverParameters(highest)));
    }

    void serve(const ssl::ContextFactory& options) { serverOptions = options.share(); }
    void connectWith(const ssl::ContextFactory& options) { clientOptions = options.share(); }

    void start() {
        if (!clientOutside) clientOutside = underTLS(*clientOptions, ssl::Role::client, client);
        if (!serverOutside) serverOutside = underTLS(*serverOptions, ssl::Role::server, server);
        pump.emplace(clientOutside, serverOutside);
        pump->client().setTap([this](BytesView data) { clientWire.see(data); });
        pump->server().setTap([this](BytesView data) { serverWire.see(data); });
    }
    /// Connects and shakes hands.
    void up() {
        start();
        pump->flush();
        if (client->made == 1) REQUIRE(client->handshakes == 1);
        if (server->made == 1) REQUIRE(server->handshakes == 1);
    }
    /// In one turn.
    void inTurn(const std::function<void()>& work) {
        pump->clock().passTurn([&] { work(); });
    }
    void flush() { pump->flush(); }

    /// An engine instead of the server, or the client.
    std::shared_ptr<EnginePeer> engineServer() {
        auto peer = std::make_shared<EnginePeer>(*serverOptions, ssl::Role::server);
        serverOutside = peer;
        return peer;
    }
    std::shared_ptr<EnginePeer> engineClient() {
        auto peer = std::make_shared<EnginePeer>(*clientOptions, ssl::Role::client);
        clientOutside = peer;
        return peer;
    }

    std::shared_ptr<const ssl::ContextFactory> clientOptions = goodClient().share();
    std::shared_ptr<const ssl::ContextFactory> serverOptions;
    std::shared_ptr<TLSApplication> client = std::make_shared<TLSApplication>();
    std::shared_ptr<TLSApplication> server = std::make_shared<TLSApplication>();
    std::shared_ptr<Protocol> clientOutside, serverOutside;
    RecordLog clientWire, serverWire;  ///< what went out
    std::optional<testing::IOPump> pump;
};

inline constexpr ssl::TLSVersion kVersions[] = {ssl::TLSVersion::TLSv1_2, ssl::TLSVersion::TLSv1_3};

/// Octets in which every place differs from its neighbours.
inline Bytes distinctOctets(std::size_t size) {
    Bytes octets(size, '\0');
    std::uint32_t state = 12345;
    for (char& octet : octets) {
        state = state * 1664525U + 1013904223U;
        octet = static_cast<char>(state >> 24U);
    }
    return octets;
}

/// A producer that the test drives.
class TestProducer : public Producer {
public:
    void pauseProducing() override {
        calls += 'p';
        if (onPause) onPause();
    }
    void resumeProducing() override {
        calls += 'r';
        if (onResume) onResume();
    }
    void stopProducing() override {
        calls += 's';
        if (onStop) onStop();
    }
    std::string calls;  ///< p, r and s in the order of the calls
    std::function<void()> onPause, onResume, onStop;
};

}  // namespace torsion::test
