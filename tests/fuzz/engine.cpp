/// The octets of a peer, as they are, for the TLS engine in either role. The seeds are whole conversations, which go
/// through to their end because the engine's own random numbers are the same each time.

#include <array>
#include <utility>

#include <torsion/tests/fuzz/fuzz.hpp>
#include <torsion/tls/engine.hpp>

namespace torsion::fuzz {

namespace {

constexpr std::size_t kMostPlaintext = 1U << 20;

/// One engine, which answers what it reads and closes when the peer does.
class End : private ssl::Engine::Output {
public:
    End(ssl::Role role, ssl::TLSVersion highest)
        : role_(role),
          engine_(role == ssl::Role::client ? (useRandomness(0), clientOptions().newSession(role, {}))
                                            : (useRandomness(1), serverOptions(highest).newSession(role, {})),
                  *this) {}

    /// Feeds @p input. @return what was sent
    Bytes step(BytesView input) {
        useRandomness(role_ == ssl::Role::client ? 0 : 1);
        sent_.clear();
        engine_.feed(input);
        if (state_ == ssl::Engine::Outcome::wantsInput) proceed(input);
        engine_.release();
        return std::move(sent_);
    }

    void say(BytesView text) {
        if (up_ && state_ == ssl::Engine::Outcome::wantsInput) check(engine_.write(text));
    }
    Bytes end() {
        sent_.clear();
        if (up_) check(engine_.shutdown());
        return std::move(sent_);
    }

    bool up() const noexcept { return up_; }
    bool closed() const noexcept { return state_ == ssl::Engine::Outcome::closed; }

private:
    void ciphertext(BytesView data) override {
        require(!data.empty(), "the engine makes empty ciphertext");
        sent_.append(data);
    }

    void proceed(BytesView input) {
        if (!up_) {
            check(engine_.handshake());
            if (state_ != ssl::Engine::Outcome::ok) return;
            up_ = true;
            require(!engine_.session().version().empty(), "the handshake is done and there is no version");
            require(role_ == ssl::Role::server || engine_.session().peerCertificate().has_value(),
                    "a client came up without a certificate of the server's");
        }
        std::array<char, 4096> room;
        do {
            std::size_t got = 0;
            check(engine_.read(room, got));
            if (state_ == ssl::Engine::Outcome::ok) {
                require(got > 0 && got <= room.size(), "read is ok and gives nothing, or too much");
                total_ += got;
                require(total_ <= kMostPlaintext + input.size(), "more plaintext came out than went in");
                check(engine_.write(BytesView(room.data(), std::min<std::size_t>(got, 8))));
            }
        } while (state_ == ssl::Engine::Outcome::ok);
        const BytesView rest = engine_.unread();
        require(rest.size() <= input.size(), "more is unread than was fed");
        if (state_ == ssl::Engine::Outcome::closed) static_cast<void>(engine_.shutdown());
    }

    void check(ssl::Engine::Outcome outcome) {
        state_ = outcome;
        if (outcome == ssl::Engine::Outcome::failed) {
            require(!engine_.failure().getErrorMessage().empty(), "a failure without words");
        }
        if (up_ && outcome == ssl::Engine::Outcome::ok) return;
    }

    ssl::Role role_;
    ssl::Engine engine_;
    ssl::Engine::Outcome state_ = ssl::Engine::Outcome::wantsInput;
    Bytes sent_;
    std::size_t total_ = 0;
    bool up_ = false;
};

enum Flags : std::uint8_t { kServer = 1, kOlder = 2, kFlagsEnd = 4 };

ssl::TLSVersion versionOf(std::uint8_t flags) {
    return (flags & kOlder) != 0 ? ssl::TLSVersion::TLSv1_2 : ssl::TLSVersion::TLSv1_3;
}

/// What @p flags' peer sends in a conversation that goes well: a flight, the octets of which may be fed in any way.
Bytes recorded(std::uint8_t flags) {
    restartRandomness();
    End client(ssl::Role::client, versionOf(flags));
    End server(ssl::Role::server, versionOf(flags));
    Bytes fromClient;
    Bytes fromServer;
    Bytes flight = client.step({});
    for (int round = 0; round < 6 && !flight.empty(); ++round) {
        fromClient += flight;
        const Bytes answer = server.step(flight);
        fromServer += answer;
        flight = client.step(answer);
    }
    require(client.up() && server.up(), "the recorded conversation did not come up");
    useRandomness(0);
    fromClient += client.end();
    useRandomness(1);
    fromServer += server.end();
    return (flags & kServer) != 0 ? fromClient : fromServer;
}

}  // namespace

/// The input: an octet of flags, one that says how much comes at a time, and the peer's octets.
void run(BytesView octets) {
    Input input(octets);
    const std::uint8_t flags = input.octet();
    const std::size_t pieceAtMost = 1 + std::size_t{input.octet()} * 16;
    End end((flags & kServer) != 0 ? ssl::Role::server : ssl::Role::client, versionOf(flags));
    end.step({});
    while (!input.empty()) end.step(input.take(pieceAtMost));
    end.step({});
}

std::vector<Bytes> seeds() {
    std::vector<Bytes> made;
    for (std::uint8_t flags = 0; flags < kFlagsEnd; ++flags) {
        for (const char pieces : {'\0', '\x07', '\xff'}) {
            made.push_back(Bytes{static_cast<char>(flags), pieces} + recorded(flags));
        }
    }
    return made;
}

}  // namespace torsion::fuzz
