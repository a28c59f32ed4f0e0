#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <torsion/tests/core/critical_log.hpp>
#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

namespace torsion::test {

inline bool contains(const Bytes& haystack, BytesView needle) { return haystack.find(needle) != Bytes::npos; }

/// A pair of onions with some layers, seen from one of its ends.
struct OnionCase {
    OnionPair pair;
    OnionApplication& we;
    OnionApplication& peer;
    testing::FakeTransport& ourEnd;
    testing::FakeTransport& peerEnd;
    Bytes& ourWire;   ///< what we have sent
    Bytes& peerWire;  ///< what the peer has
    OnionProtocol& peerOnion;
    ssl::TLSVersion version;
    bool server;  ///< whether we are the TLS server of every layer
    unsigned depth;

    OnionCase(ssl::TLSVersion highest, bool weServe, unsigned layers)
        : pair(highest),
          we(weServe ? *pair.server : *pair.client),
          peer(weServe ? *pair.client : *pair.server),
          ourEnd(weServe ? pair.pump.server() : pair.pump.client()),
          peerEnd(weServe ? pair.pump.client() : pair.pump.server()),
          ourWire(weServe ? pair.serverWire : pair.clientWire),
          peerWire(weServe ? pair.clientWire : pair.serverWire),
          peerOnion(weServe ? *pair.clientOnion : *pair.serverOnion),
          version(highest),
          server(weServe),
          depth(layers) {
        for (unsigned i = 0; i < layers; ++i) pair.push();
        pair.client->diary.clear();
        pair.server->diary.clear();
    }

    Deferred<void> start(OnionApplication& who, BytesView leftover = {}) {
        const bool serves = &who == pair.server.get();
        if (serves) return who.onion().startTLS(pair.serverOptions, ssl::Role::server, leftover);
        return who.onion().startTLS(pair.clientOptions, ssl::Role::client, leftover);
    }
    void flush() { pair.pump.flush(); }
};

/// Calls @p test in both roles, both versions of TLS, and at each of the depths.
template <class Test>
void everyCase(unsigned leastDepth, unsigned greatestDepth, Test&& test) {
    for (const ssl::TLSVersion version : kVersions) {
        for (const bool server : {false, true}) {
            for (unsigned depth = leastDepth; depth <= greatestDepth; ++depth) {
                INFO((version == ssl::TLSVersion::TLSv1_2 ? "TLS 1.2" : "TLS 1.3"), ", we are the ",
                     (server ? "server" : "client"), ", depth ", depth);
                OnionCase scene(version, server, depth);
                test(scene);
            }
        }
    }
}

/// A peer of an onion made of engines, one a layer, which does nothing that the test does not say.
class EngineTower : public Protocol {
public:
    struct Level final : ssl::Engine::Output {
        Level(const ssl::ContextFactory& options, ssl::Role role) : engine(options.newSession(role, {}), *this) {}
        void ciphertext(BytesView data) override { out.append(data); }
        Bytes take() { return std::exchange(out, Bytes()); }
        ssl::Engine engine;
        Bytes out;
        bool up = false, heardClose = false;
    };

    void push(const ssl::ContextFactory& options, ssl::Role role) {
        levels.push_back(std::make_unique<Level>(options, role));
        if (role == ssl::Role::client) climb(levels.size() - 1, {});
    }

    /// What is to go on the wire so that @p data comes out above the lowest @p count layers.
    Bytes seal(std::size_t count, Bytes data) {
        while (count-- > 0) {
            CHECK(levels[count]->engine.write(data) == ssl::Engine::Outcome::ok);
            data = levels[count]->take();
        }
        return data;
    }

    /// The close_notify of the innermost layer, as octets of the layer below.
    Bytes closeNotify() {
        CHECK(levels.back()->engine.shutdown() == ssl::Engine::Outcome::ok);
        return levels.back()->take();
    }

    void dataReceived(BytesView data) override { climb(0, Bytes(data)); }
    void connectionLost(const Failure& why) override { lost = why; }

    std::vector<std::unique_ptr<Level>> levels;
    Bytes received;  ///< above all layers, or behind the close_notify of the innermost
    std::optional<Failure> lost;

private:
    void climb(std::size_t from, Bytes input) {
        for (std::size_t i = from; i < levels.size(); ++i) {
            Level& level = *levels[i];
            if (level.heardClose) break;
            level.engine.feed(input);
            Bytes plaintext;
            if (!level.up) level.up = level.engine.handshake() == ssl::Engine::Outcome::ok;
            for (char room[16384]; level.up && !level.heardClose;) {
                std::size_t got = 0;
                const ssl::Engine::Outcome outcome = level.engine.read(room, got);
                if (outcome == ssl::Engine::Outcome::closed) {
                    level.heardClose = true;
                    plaintext.append(level.engine.unread());
                }
                if (outcome != ssl::Engine::Outcome::ok) break;
                plaintext.append(room, got);
            }
            level.engine.release();
            if (const Bytes answer = level.take(); !answer.empty()) transport().write(seal(i, answer));
            input = plaintext;
            if (input.empty()) return;
        }
        received.append(input);
    }
};

}  // namespace torsion::test
