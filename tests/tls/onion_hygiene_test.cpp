// Octets that came in the clear, or through one layer less, are never taken for what comes through a new layer.

#include <torsion/protocols/line_only_receiver.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/tests/tls/onion_cases.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

/// What an upgrading protocol is asked to be.
struct Upgrade {
    ssl::Role role;
    bool handsOver;  ///< gives startTLS what stands behind the line
};

/// What it tells.
class Victim {
public:
    virtual ~Victim() = default;
    std::vector<std::string> lines;
    int started = 0;
    std::optional<Failure> reason;

protected:
    /// @param takes empties the buffer
    template <class Taking>
    void upgrade(Transport& transport, const Upgrade& how, Taking&& takes) {
        static const ssl::CertificateOptions server{serverParameters()};
        static const ssl::ClientTLSOptions client = goodClient();
        const Bytes leftover = how.handsOver ? takes() : Bytes();
        OnionTransport& onion = transport.as<OnionTransport>();
        if (how.role == ssl::Role::server) {
            onion.startTLS(server, ssl::Role::server, leftover);
        } else {
            onion.startTLS(client, ssl::Role::client, leftover);
        }
    }
};

/// Over LineReceiver or LineOnlyReceiver.
template <class Base>
class LineVictim : public Base, public OnionListener, public Victim {
public:
    explicit LineVictim(Upgrade how) : how_(how) {}
    void lineReceived(BytesView line) override {
        lines.emplace_back(line);
        if (line != "PUSH" && line != "READY") return;
        if (line == "PUSH") this->sendLine("READY");
        upgrade(this->transport(), how_, [this] { return this->takeUnprocessed(); });
    }
    void layerStarted(unsigned) override { ++started; }
    void connectionLost(const Failure& why) override { reason = why; }

private:
    Upgrade how_;
};

/// Finds its lines itself.
class RawVictim : public Protocol, public OnionListener, public Victim {
public:
    explicit RawVictim(Upgrade how) : how_(how) {}
    void dataReceived(BytesView data) override {
        buffer_.append(data);
        for (std::size_t end; (end = buffer_.find("\r\n")) != Bytes::npos;) {
            const std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 2);
            lines.push_back(line);
            if (line == "PUSH") transport().write("READY\r\n");
            if (line == "PUSH" || line == "READY") upgrade(transport(), how_, [this] { return takeUnprocessed(); });
        }
    }
    Bytes takeUnprocessed() override { return std::exchange(buffer_, Bytes()); }
    void layerStarted(unsigned) override { ++started; }
    void connectionLost(const Failure& why) override { reason = why; }

private:
    Upgrade how_;
    Bytes buffer_;
};

/// A victim with some layers, and a peer that says what it likes.
template <class V>
struct Scene {
    Scene(Upgrade how, unsigned depth)
        : victim(std::make_shared<V>(how)),
          pump(std::make_shared<OnionProtocol>(nullptr, peer), std::make_shared<OnionProtocol>(nullptr, victim)) {
        const ssl::CertificateOptions server(serverParameters());
        for (unsigned i = 0; i < depth; ++i) {
            victim->transport().template as<OnionTransport>().startTLS(server, ssl::Role::server);
            peer->onion().startTLS(goodClient(), ssl::Role::client);
            pump.flush();
        }
        before = victim->started;
    }
    std::shared_ptr<OnionApplication> peer = std::make_shared<OnionApplication>();
    std::shared_ptr<V> victim;
    testing::IOPump pump;
    int before = 0;
};

const char* commandFor(ssl::Role role) { return role == ssl::Role::server ? "PUSH" : "READY"; }

template <class V>
void attack() {
    for (const ssl::Role role : {ssl::Role::server, ssl::Role::client}) {
        for (const bool handsOver : {false, true}) {
            for (const unsigned depth : {0U, 1U, 2U}) {
                const Bytes command = Bytes(commandFor(role)) + "\r\n";
                const Bytes all = command + "INJECTED\r\nAGAIN\r\nPARTIAL-SECRET";
                for (std::size_t cut = 0; cut < all.size(); ++cut) {
                    CAPTURE(cut);
                    CAPTURE(depth);
                    CAPTURE(handsOver);
                    Scene<V> scene({role, handsOver}, depth);
                    scene.peer->transport().write(BytesView(all).substr(0, cut));
                    scene.pump.flush();
                    scene.peer->transport().write(BytesView(all).substr(cut));
                    scene.pump.flush();
                    // What comes later is TLS's: no record, so it fails there.
                    const bool residue = cut != command.size() && !handsOver;
                    CHECK(scene.victim->lines == std::vector<std::string>{commandFor(role)});
                    CHECK(scene.victim->started == scene.before);
                    REQUIRE(scene.victim->reason);
                    CHECK(scene.victim->reason->template check<PlaintextAfterStartTLS>() == residue);
                    CHECK(scene.victim->reason->template check<ssl::Error>() == !residue);
                    CHECK(scene.peer->lost);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("PUSH and what is injected behind it never pass for lines of the layer: LineReceiver (STL-2) (D5)") {
    attack<LineVictim<LineReceiver>>();
}

TEST_CASE("PUSH and what is injected behind it never pass for lines of the layer: LineOnlyReceiver (STL-2) (D5)") {
    attack<LineVictim<LineOnlyReceiver>>();
}

TEST_CASE("PUSH and what is injected behind it never pass for lines of the layer: a raw protocol (STL-2) (D5)") {
    attack<RawVictim>();
}

TEST_CASE("the peer's hello behind PUSH, wherever it is cut, is the handshake's if it is handed over (STL-2) (D5)") {
    for (const unsigned depth : {0U, 1U, 2U}) {
        for (std::size_t cut = 0; cut < 300; cut += cut < 12 ? 1 : 37) {
            CAPTURE(depth);
            CAPTURE(cut);
            Scene<LineVictim<LineReceiver>> scene({ssl::Role::server, true}, depth);
            const ssl::ClientTLSOptions client = goodClient();
            // The peer's layer begins at once, and drops the READY that comes ahead of the server's hello.
            const auto tower = std::make_shared<EngineTower>();
            tower->levels.push_back(std::make_unique<EngineTower::Level>(client, ssl::Role::client));
            EngineTower::Level& level = *tower->levels.back();
            level.engine.handshake();
            const Bytes all = "PUSH\r\n" + level.take();
            Bytes heard;
            scene.peer->onData = [&](BytesView data) {
                heard.append(data);
                if (heard.size() <= 7 || level.up) return;
                level.engine.feed(BytesView(heard).substr(7));
                level.up = level.engine.handshake() == ssl::Engine::Outcome::ok;
                level.engine.release();
                heard.resize(7);
                if (level.up) level.engine.write("inside\r\n");
                scene.peer->transport().write(level.take());
            };
            scene.peer->transport().write(BytesView(all).substr(0, cut));
            scene.pump.flush();
            scene.peer->transport().write(BytesView(all).substr(std::min(cut, all.size())));
            scene.pump.flush();
            CHECK(scene.victim->lines == std::vector<std::string>{"PUSH", "inside"});
            CHECK(scene.victim->started == scene.before + 1);
        }
    }
}

TEST_CASE("Residue::feedToTLS on an onion feeds what stands behind the line, and Residue::fail fails (STL-2) (D5)") {
    class Upgrading : public LineReceiver {
    public:
        explicit Upgrading(Residue residue) : residue_(residue) {}
        void lineReceived(BytesView line) override {
            lines.emplace_back(line);
            if (line != "PUSH") return;
            static const ssl::CertificateOptions server{serverParameters()};
            transport().as<TLSTransport>().startTLS(server, TLSRole::server, residue_);
        }
        void connectionLost(const Failure& why) override { reason = why; }
        std::vector<std::string> lines;
        std::optional<Failure> reason;

    private:
        Residue residue_;
    };
    for (const Residue residue : {Residue::fail, Residue::feedToTLS}) {
        const auto victim = std::make_shared<Upgrading>(residue);
        const auto peer = std::make_shared<OnionApplication>();
        testing::IOPump pump(peer, std::make_shared<OnionProtocol>(nullptr, victim));
        peer->transport().write("PUSH\r\nINJECTED\r\n");
        pump.flush();
        CHECK(victim->lines == std::vector<std::string>{"PUSH"});
        REQUIRE(victim->reason);
        CHECK(victim->reason->check<PlaintextAfterStartTLS>() == (residue == Residue::fail));
        CHECK(victim->reason->check<ssl::Error>() == (residue == Residue::feedToTLS));
    }
}
