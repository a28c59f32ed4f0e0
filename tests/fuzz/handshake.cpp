/// Two TLS layers in a live conversation, and somebody between them who cuts, flips, drops, repeats and adds octets: so
/// mutations get deep into what follows a good handshake.

#include <memory>

#include <torsion/testing/io_pump.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion::fuzz {

namespace {

constexpr int kMostSteps = 200;

/// Under TLS. What one writes is a sequence that the other one can check.
class Application : public Protocol, public HandshakeListener {
public:
    void connectionMade() override { require(++made == 1, "connectionMade came twice"); }
    void handshakeCompleted() override {
        require(made == 1 && received == 0 && lost == 0, "handshakeCompleted came out of place");
        require(++handshakes == 1, "handshakeCompleted came twice");
    }
    void dataReceived(BytesView data) override {
        require(handshakes == 1, "data came before the handshake was done");
        require(lost == 0, "data came after connectionLost");
        require(!left, "data came after loseConnection");
        require(!paused, "data came while reading was paused");
        require(!data.empty(), "empty data came");
        // TLS keeps what passes from being changed, whoever is between.
        for (const char c : data) require(c == octetAt(received++), "what came is not what was written");
    }
    void connectionLost(const Failure& reason) override {
        require(made == 1 && ++lost == 1, "connectionLost came twice, or before connectionMade");
        require(!reason.getErrorMessage().empty(), "a reason without words");
        clean = reason.check<ConnectionDone>();
    }

    void say(std::size_t octets) {
        Bytes text;
        for (std::size_t i = 0; i < octets; ++i) text.push_back(octetAt(written + i));
        written += octets;
        transport().write(text);
    }

    static char octetAt(std::size_t place) { return static_cast<char>(place * 7 + place / 251); }

    int made = 0, handshakes = 0, lost = 0;
    std::size_t received = 0, written = 0;
    bool left = false, paused = false, clean = false;
};

/// Sits between two pumps, as the far end of each.
class Meddler : public Protocol {
public:
    void dataReceived(BytesView data) override { waiting.append(data); }
    void connectionLost(const Failure&) override { gone = true; }
    Bytes waiting;
    bool gone = false;
};

struct Side {
    Side(const ssl::ContextFactory& options, ssl::Role role, const std::shared_ptr<task::Clock>& clock)
        : application(std::make_shared<Application>()),
          meddler(std::make_shared<Meddler>()),
          layer(std::make_shared<TLSMemoryBIOProtocol>(nullptr, options, role, application)),
          pump(layer, meddler, clock) {}

    std::shared_ptr<Application> application;
    std::shared_ptr<Meddler> meddler;
    std::shared_ptr<TLSMemoryBIOProtocol> layer;
    testing::IOPump pump;
};

class Conversation {
public:
    explicit Conversation(ssl::TLSVersion highest)
        : client_(clientOptions(), ssl::Role::client, clock_),
          server_(serverOptions(highest), ssl::Role::server, clock_) {}

    void step(Input& input) {
        const std::uint8_t what = input.octet();
        Side& side = (what & 1U) != 0 ? server_ : client_;
        Side& other = &side == &client_ ? server_ : client_;
        switch (what >> 1U & 15U) {
            default: carry(side, other, side.meddler->waiting.size()); break;
            case 1: carry(side, other, input.upTo(255)); break;
            case 2: change(side.meddler->waiting, input); break;
            case 3: side.meddler->waiting.erase(0, input.upTo(255)); break;
            case 4: side.meddler->waiting += side.meddler->waiting.substr(0, input.upTo(255)); break;
            case 5: side.meddler->waiting += input.take(input.upTo(32)); break;
            case 6: side.application->say(1 + input.upTo(255)); break;
            case 7: side.application->say(1 + input.upTo(255) * 256); break;
            case 8: leave(side); break;
            case 9: pause(side, input.octet() % 2 == 0); break;
            case 10: side.layer->loseWriteConnection(); break;
            case 11: abort(side); break;
            case 12: other.meddler->transport().loseConnection(); break;
            case 13: clock_->advance(std::chrono::seconds(input.upTo(255))); break;
        }
        pass();
    }

    /// Nobody meddles any more, and all waits end.
    void finish() {
        for (int round = 0; round < 4; ++round) {
            carry(client_, server_, client_.meddler->waiting.size());
            carry(server_, client_, server_.meddler->waiting.size());
            pass();
        }
        client_.pump.breakConnection();
        server_.pump.breakConnection();
        pass();
        for (const Side* side : {&client_, &server_}) {
            require(side->application->made == 1 && side->application->lost == 1, "connectionLost did not come");
        }
    }

private:
    static void leave(Side& side) {
        side.application->left = true;
        side.layer->loseConnection();
    }
    static void abort(Side& side) {
        side.application->left = true;
        side.layer->abortConnection();
    }
    static void pause(Side& side, bool paused) {
        if (side.application->left) return;
        side.application->paused = paused;
        paused ? side.layer->pauseProducing() : side.layer->resumeProducing();
    }
    static void change(Bytes& octets, Input& input) {
        if (octets.empty()) return;
        const std::size_t at = (std::size_t{input.octet()} << 8U | input.octet()) % octets.size();
        octets[at] = static_cast<char>(octets[at] ^ input.octet());
    }
    static void carry(Side& from, Side& to, std::size_t octets) {
        if (!to.meddler->gone) to.meddler->transport().write(BytesView(from.meddler->waiting).substr(0, octets));
        from.meddler->waiting.erase(0, octets);
        if (from.meddler->gone && from.meddler->waiting.empty()) to.meddler->transport().loseConnection();
    }
    void pass() {
        useRandomness(0);
        for (bool moved = true; moved;) {
            moved = client_.pump.pump();
            moved = server_.pump.pump() || moved;
        }
    }

    std::shared_ptr<task::Clock> clock_ = std::make_shared<task::Clock>();
    Side client_;
    Side server_;
};

}  // namespace

/// The input: an octet that chooses the version, then steps.
void run(BytesView octets) {
    Input input(octets);
    Conversation conversation(input.octet() % 2 == 0 ? ssl::TLSVersion::TLSv1_3 : ssl::TLSVersion::TLSv1_2);
    for (int steps = 0; steps < kMostSteps && !input.empty(); ++steps) conversation.step(input);
    conversation.finish();
}

std::vector<Bytes> seeds() {
    const auto step = [](int what, int side) { return Bytes(1, static_cast<char>(what << 1 | side)); };
    const Bytes up = (step(0, 0) + step(0, 1)) + (step(0, 0) + step(0, 1));
    const Bytes talk = step(6, 0) + "x" + step(7, 1) + "y" + up;
    std::vector<Bytes> made;
    for (const char version : {'\0', '\1'}) {
        const Bytes start(1, version);
        made.push_back(start + up + talk + step(8, 0) + up);
        made.push_back(start + up + talk + step(10, 0) + up + step(8, 1) + up);
        made.push_back(start + up + step(9, 1) + "\2" + talk + step(9, 1) + "\1" + up + step(11, 0));
        made.push_back(start + up + talk + step(2, 1) + "\1\2\3" + up + step(13, 0) + "\xff");
        made.push_back(start + step(0, 0) + step(1, 1) + "\x20" + up + step(8, 0) + step(8, 1) + up);
        made.push_back(start + talk + up + step(12, 0) + up);
    }
    return made;
}

}  // namespace torsion::fuzz
