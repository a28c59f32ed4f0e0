#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <torsion/tests/tls/onion_fixture.hpp>

/// What two applications on onions may expect of each other, whatever they do and however the stream is cut: a script
/// of steps runs over the in-memory network, and a simple model says what each must have seen.
namespace torsion::test {

/// One step of a script: what, by whom (0 the client, 1 the server), and a number whose meaning depends on it.
struct Step {
    char what;
    unsigned who;
    unsigned number;
};

/// All letters that a Step may have.
///   V version of TLS (12, 13)    G how what comes to `who` is cut: 0 whole, 1 by octets, 2 coalesced, else random seed
///   w write so many octets       p ask for a push (the client only): bit 0 swaps the roles, bit 1 pushes two at once
///   s stopTLS                    b both stop at once        z pause        r resume
///   k what to do at the next layerStopped: 1 write, 2 pause, 3 ask for a push, 4 stopTLS
///   t pass so many turns         f pass turns until nothing happens
///   and the ends: l loseConnection, a abortConnection, x the network breaks, n a FIN in the clear
using Script = std::vector<Step>;

inline std::string toText(const Script& script) {
    std::string text;
    for (const Step& step : script) {
        text += step.what + std::to_string(step.who) + ':' + std::to_string(step.number) + ' ';
    }
    return text;
}

/// The reverse. What it does not understand ends it.
inline Script scriptOf(const std::string& text) {
    Script script;
    Step step{};
    int used = 0;
    for (const char* at = text.c_str(); std::sscanf(at, " %c%u:%u%n", &step.what, &step.who, &step.number, &used) == 3;
         at += used) {
        script.push_back(step);
    }
    return script;
}

/// A script from @p seed, with at most one of the ends.
inline Script randomScript(std::uint32_t seed) {
    std::mt19937 random(seed);
    const auto below = [&random](unsigned limit) { return static_cast<unsigned>(random() % limit); };
    Script script{{'V', 0, below(4) == 0 ? 12U : 13U}};
    bool slow = false;
    for (unsigned who : {0U, 1U}) {
        unsigned cut = below(8);
        if (cut > 2) cut = 3 + below(1000);
        slow = slow || cut == 1;
        script.push_back({'G', who, cut});
    }
    const unsigned steps = 4 + below(30);
    const unsigned end = below(2) == 0 ? below(steps) : steps;
    for (unsigned i = 0; i < steps; ++i) {
        const unsigned who = below(2);
        if (i == end) script.push_back({"llaxn"[below(5)], who, 0});
        switch (below(14)) {
            case 0:
            case 1:
            case 2: script.push_back({'w', who, below(300)}); break;
            case 3: script.push_back({'w', who, slow ? below(300) : 16370 + below(20)}); break;
            case 4: script.push_back({'w', who, below(5) == 0 && !slow ? 40000 : below(10)}); break;
            case 5:
            case 6:
            case 7: script.push_back({'p', 0, below(4)}); break;
            case 8: script.push_back({'s', who, 0}); break;
            case 9: script.push_back({'b', 0, 0}); break;
            case 10: script.push_back({below(2) == 0 ? 'z' : 'r', who, 0}); break;
            case 11: script.push_back({'k', who, 1 + below(4)}); break;
            default: break;
        }
        const unsigned pace = below(10);
        if (pace < 5) script.push_back({'t', 0, 1 + below(6)});
        if (pace == 9) script.push_back({'f', 0, 0});
    }
    return script;
}

/// One end. Sends frames, each in one write: a letter, six digits of length, content. Notes for each in which layer it
/// must travel, and for each that comes in which it did. Layers are numbered in the order in which they are put on, the
/// same on both ends, and 0 is no layer.
class Party : public Protocol, public OnionListener {
public:
    struct Frame {
        unsigned layer;
        Bytes octets;
        bool operator==(const Frame& other) const { return layer == other.layer && octets == other.octets; }
    };

    Party(bool client, std::vector<std::string>& faults) : client_(client), faults_(faults) {}

    /// What the other one starts its layers with is shared by both.
    void setRecipes(const ssl::ContextFactory& server, const ssl::ContextFactory& client) {
        server_ = server.share();
        clientRecipe_ = client.share();
    }

    // Steps.
    void say(char type, std::size_t size);
    void askForPush(unsigned flags);
    void stop();
    void pause() {
        paused = true;
        transport().pauseProducing();
    }
    void resume() {
        paused = false;
        transport().resumeProducing();
    }
    void lose() {
        closed = true;
        transport().loseConnection();
    }
    void abort() {
        closed = true;
        transport().abortConnection();
    }

    // Callbacks.
    void dataReceived(BytesView data) override;
    Bytes takeUnprocessed() override { return std::exchange(buffer_, Bytes()); }
    void connectionLost(const Failure& why) override;
    void layerStarted(unsigned depth) override {
        if (reason) fault("layerStarted after connectionLost");
        if (depth == 0 || depth > onion().depth()) fault("layerStarted of a layer that is not there");
    }
    void layerStopped(unsigned depth) override;

    OnionTransport& onion() const { return transport().as<OnionTransport>(); }
    bool over() const { return closed || reason != nullptr; }
    /// Whether nothing is pending that a loseConnection might cut off.
    bool settled() const;
    /// Whether every Deferred has fired.
    bool allFired() const;
    unsigned pending() const { return static_cast<unsigned>(operations_.size()); }

    std::vector<Frame> sent, received;
    std::unique_ptr<Failure> reason;
    bool paused = false;
    bool closed = false;       ///< by this end
    bool awaitsReady = false;  ///< a client that has asked says nothing before the answer
    unsigned reaction = 0;     ///< at the next layerStopped

private:
    enum class Operation : unsigned char { start, stop };
    struct Call {
        Operation operation;
        bool mayBeOutOfOrder;
        int fired = 0;
    };

    void fault(const std::string& what) { faults_.push_back((client_ ? "client: " : "server: ") + what); }
    void follow(Operation operation, bool mayBeOutOfOrder, Deferred<void> deferred);
    void start(unsigned flags);
    void interpret();
    void handle(const Bytes& frame);

    bool client_;
    std::vector<std::string>& faults_;
    std::shared_ptr<const ssl::ContextFactory> server_, clientRecipe_;
    std::vector<unsigned> intended_;     ///< the layers through which what is written now travels
    std::vector<unsigned> active_;       ///< those through which what comes has come
    std::vector<Operation> operations_;  ///< asked for and not done, the first being a stop
    std::vector<std::shared_ptr<Call>> calls_;
    unsigned requested_ = 0;  ///< layers, in all
    unsigned activated_ = 0;
    unsigned frames_ = 0;
    unsigned pushFlags_ = 0;
    Bytes buffer_;
    bool interpreting_ = false;
};

/// Runs @p script. @return what went wrong, a line each; empty if all was as the model says
std::vector<std::string> runModel(const Script& script);

/// A script that still goes wrong, without steps that do not matter.
Script shrink(Script script);

}  // namespace torsion::test
