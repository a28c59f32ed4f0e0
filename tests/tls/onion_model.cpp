#include <torsion/tests/tls/onion_model.hpp>

#include <algorithm>

#include <torsion/core/log.hpp>
#include <torsion/tls/errors.hpp>

namespace torsion::test {

namespace {

constexpr std::size_t kHeader = 7;
constexpr unsigned kDeepest = 4;
const char* const kSecret = "~inside a layer~";
const char* const kPlain = "~in the clear~";

Bytes frameOf(char type, const Bytes& content) {
    std::string digits = std::to_string(content.size());
    digits.insert(0, kHeader - 1 - digits.size(), '0');
    return type + digits + content;
}

}  // namespace

// What a party does.

void Party::say(char type, std::size_t size) {
    if (over()) {
        transport().write("too late");  // must be silent
        return;
    }
    const unsigned layer = intended_.empty() ? 0 : intended_.back();
    Bytes content = (layer == 0 ? kPlain : kSecret) + std::to_string(++frames_) + '~';
    while (content.size() < size) content.append(std::min(content.size(), size - content.size()), 'x');
    sent.push_back({layer, frameOf(type, content)});
    transport().write(sent.back().octets);
}

void Party::askForPush(unsigned flags) {
    if (over()) {
        follow(Operation::start, true, onion().startTLS(*clientRecipe_, ssl::Role::client));
        return;
    }
    if (!client_ || awaitsReady || intended_.size() + 2 > kDeepest) return;
    pushFlags_ = flags;
    say(static_cast<char>('A' + flags), 0);
    awaitsReady = true;
}

void Party::start(unsigned flags) {
    const bool asClient = client_ != ((flags & 1U) != 0);
    for (unsigned i = 0; i <= flags >> 1U; ++i) {
        intended_.push_back(++requested_);
        if (!operations_.empty()) operations_.push_back(Operation::start);
        // Only the first can have come already.
        const Bytes leftover = takeUnprocessed();
        follow(Operation::start, false,
               onion().startTLS(asClient ? *clientRecipe_ : *server_, asClient ? ssl::Role::client : ssl::Role::server,
                                leftover));
    }
}

void Party::stop() {
    if (awaitsReady && !over()) return;
    if (!over() && intended_.empty() && operations_.empty()) {
        follow(Operation::stop, true, onion().stopTLS());
        return;
    }
    if (!over() && (operations_.empty() || operations_.back() != Operation::stop)) {
        if (intended_.empty()) {
            fault("the model has nothing to stop");
            return;
        }
        operations_.push_back(Operation::stop);
        intended_.pop_back();
    }
    follow(Operation::stop, over(), onion().stopTLS());
}

void Party::follow(Operation operation, bool mayBeOutOfOrder, Deferred<void> deferred) {
    // What fails at once has not waited its turn: the connection may have been failed, and connectionLost not be there.
    const auto call = std::make_shared<Call>(Call{operation, mayBeOutOfOrder || deferred.called()});
    calls_.push_back(call);
    const bool afterTheEnd = reason != nullptr;
    deferred.addBoth([this, call, afterTheEnd] {
        ++call->fired;
        if (reason && !afterTheEnd) fault("a Deferred fires after connectionLost");
        if (call->mayBeOutOfOrder) return;
        for (const auto& earlier : calls_) {
            if (earlier == call) break;
            if (earlier->fired == 0 && !earlier->mayBeOutOfOrder) fault("Deferreds fire out of order");
        }
    });
}

bool Party::settled() const {
    if (awaitsReady || !operations_.empty() || reason) return false;
    for (const OnionLayer& layer : onion().layers()) {
        if (layer.state != OnionLayer::State::up) return false;
    }
    return true;
}

bool Party::allFired() const {
    return std::all_of(calls_.begin(), calls_.end(), [](const auto& call) { return call->fired == 1; });
}

// What comes.

void Party::dataReceived(BytesView data) {
    if (data.empty()) fault("an empty dataReceived");
    if (reason) fault("dataReceived after connectionLost");
    if (closed) fault("dataReceived after loseConnection");
    if (paused) fault("dataReceived while paused");
    if (interpreting_) fault("dataReceived inside dataReceived");
    buffer_.append(data);
    interpreting_ = true;
    interpret();
    interpreting_ = false;
}

void Party::interpret() {
    while (buffer_.size() >= kHeader && !over()) {
        const std::size_t size = kHeader + std::stoul(buffer_.substr(1, kHeader - 1));
        if (buffer_.size() < size) return;
        const Bytes frame = buffer_.substr(0, size);
        buffer_.erase(0, size);
        handle(frame);
    }
}

void Party::handle(const Bytes& frame) {
    while (active_.size() < onion().depth()) active_.push_back(++activated_);
    received.push_back({active_.empty() ? 0 : active_.back(), frame});
    const char type = frame[0];
    if (type >= 'A' && type < 'A' + 4) {
        say('R', 0);
        start(static_cast<unsigned>(type - 'A'));
    } else if (type == 'R') {
        awaitsReady = false;
        start(pushFlags_);
    }
}

void Party::layerStopped(unsigned depth) {
    if (reason) fault("layerStopped after connectionLost");
    if (!buffer_.empty()) fault("a frame is torn by the end of a layer");
    if (onion().depth() != depth - 1) fault("layerStopped: the depth is wrong");
    while (active_.size() < depth) active_.push_back(++activated_);
    if (active_.size() != depth) fault("layerStopped: not the innermost");
    active_.pop_back();
    if (operations_.empty()) {
        if (!intended_.empty()) intended_.pop_back();  // the peer's doing
    } else {
        if (operations_.front() != Operation::stop) fault("the model is out of step");
        operations_.erase(operations_.begin());
    }
    switch (over() ? 0 : std::exchange(reaction, 0)) {
        case 1:
            if (!awaitsReady) say('w', 20);
            break;
        case 2: pause(); break;
        case 3: askForPush(0); break;
        case 4:
            if (!intended_.empty() || !operations_.empty()) stop();
            break;
        default: break;
    }
    while (!operations_.empty() && operations_.front() == Operation::start) operations_.erase(operations_.begin());
}

void Party::connectionLost(const Failure& why) {
    if (reason) fault("connectionLost twice");
    if (!allFired()) fault("a Deferred has not fired at connectionLost, or twice");
    reason = std::make_unique<Failure>(why);
}

// The run.

namespace {

class World {
public:
    explicit World(const Script& script) : script_(script) {
        ssl::TLSVersion version = ssl::TLSVersion::TLSv1_3;
        for (const Step& step : script) {
            if (step.what == 'V' && step.number == 12) version = ssl::TLSVersion::TLSv1_2;
        }
        for (const auto& party : parties_) party->setRecipes(serverRecipe(version), clientRecipe());
        number_ = log::addObserver([this](const log::Event& event) { faults_.emplace_back(event.text); });
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() { log::removeObserver(number_); }

    std::vector<std::string> run() {
        std::weak_ptr<Protocol> onions[2];
        {
            const auto client = std::make_shared<OnionProtocol>(nullptr, parties_[0]);
            const auto server = std::make_shared<OnionProtocol>(nullptr, parties_[1]);
            onions[0] = client;
            onions[1] = server;
            pump_ = std::make_unique<testing::IOPump>(client, server);
        }
        pump_->client().setTap([this](BytesView data) { wire_.append(data); });
        pump_->server().setTap([this](BytesView data) { wire_.append(data); });
        try {
            for (const Step& step : script_) {
                take(step);
                compare();
                if (!faults_.empty()) break;
            }
            if (faults_.empty()) finish();
        } catch (const std::exception& error) {
            faults_.emplace_back(std::string("an exception: ") + error.what());
        }
        pump_.reset();
        std::weak_ptr<Protocol> parties[2] = {parties_[0], parties_[1]};
        for (auto& party : parties_) party.reset();
        if (!parties[0].expired() || !parties[1].expired()) faults_.emplace_back("an application is left behind");
        if (!onions[0].expired() || !onions[1].expired()) faults_.emplace_back("an onion is left behind");
        return std::move(faults_);
    }

private:
    static const ssl::ContextFactory& serverRecipe(ssl::TLSVersion version) {
        const auto make = [](ssl::TLSVersion highest) {
            return ssl::CertificateOptions(
                ssl::CertificateOptions::Parameters(ssl::test::exampleCertificate()).lowerMaximumSecurityTo(highest));
        };
        static const ssl::CertificateOptions old = make(ssl::TLSVersion::TLSv1_2);
        static const ssl::CertificateOptions now = make(ssl::TLSVersion::TLSv1_3);
        return version == ssl::TLSVersion::TLSv1_2 ? old : now;
    }

    static const ssl::ContextFactory& clientRecipe() {
        static const ssl::ClientTLSOptions recipe =
            ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
        return recipe;
    }

    testing::FakeTransport& wireOf(unsigned who) { return who == 0 ? pump_->client() : pump_->server(); }

    void cut(unsigned who, unsigned how) {
        namespace segmentation = testing::segmentation;
        wireOf(who).setSegmentation(how == 0   ? segmentation::whole()
                                    : how == 1 ? segmentation::byteByByte()
                                    : how == 2 ? segmentation::coalesced()
                                               : segmentation::random(how));
    }

    void take(const Step& step) {
        Party& party = *parties_[step.who % 2];
        switch (step.what) {
            case 'G': cut(step.who, step.number); break;
            case 'w':
                if (!party.awaitsReady) party.say('w', step.number);
                break;
            case 'p': parties_[0]->askForPush(step.number % 4); break;
            case 's': party.stop(); break;
            case 'b':
                for (const auto& each : parties_) each->stop();
                break;
            case 'z': party.pause(); break;
            case 'r': party.resume(); break;
            case 'k': party.reaction = step.number; break;
            case 't':
                for (unsigned i = 0; i < step.number; ++i) pump_->pump();
                break;
            case 'f': pump_->flush(); break;
            case 'l':
                ended_ = true;
                if (!party.over() && party.settled()) heardOut_ = static_cast<int>(step.who % 2);
                party.lose();
                break;
            case 'a':
                ended_ = true;
                aborted_ = party.reason ? nullptr : &party;
                party.abort();
                break;
            case 'x':
                ended_ = true;
                pump_->breakConnection();
                break;
            case 'n':
                ended_ = true;
                wireOf(step.who % 2).loseConnection();
                break;
            default: break;
        }
    }

    /// What has come is what was sent, in the order and the layers in which it was, as far as it has come.
    void compare() {
        for (unsigned who : {0U, 1U}) {
            const auto& sent = parties_[1 - who]->sent;
            const auto& received = parties_[who]->received;
            for (std::size_t& i = compared_[who]; i < received.size(); ++i) {
                if (i < sent.size() && sent[i] == received[i]) continue;
                faults_.push_back((who == 0 ? "the client" : "the server") + std::string(" got frame ") +
                                  std::to_string(i) + " of " + std::to_string(sent.size()) + " wrongly, in layer " +
                                  std::to_string(received[i].layer));
                return;
            }
        }
        if (wire_.find(kSecret, searched_) != Bytes::npos) faults_.emplace_back("a secret went out in the clear");
        searched_ = std::max<std::size_t>(wire_.size(), 32) - 32;
    }

    void check(bool holds, const std::string& what) {
        if (!holds) faults_.push_back(what);
    }

    void finish() {
        for (const auto& party : parties_) {
            party->reaction = 0;
            party->resume();
        }
        pump_->flush();
        for (const auto& party : parties_) party->resume();
        pump_->flush();
        compare();
        const Party& client = *parties_[0];
        const Party& server = *parties_[1];
        if (!ended_) {
            check(!client.reason && !server.reason, "the connection is lost, and nobody wanted that: " + why());
            if (client.reason || server.reason) return;
            check(client.allFired() && server.allFired(), "a Deferred has not fired, or twice");
            check(client.onion().depth() == server.onion().depth(), "the ends differ in depth");
            check(client.settled() && server.settled(), "something is pending, and nothing happens any more");
            check(client.received == server.sent && server.received == client.sent, "not all has come");
            parties_[script_.size() % 2]->lose();
            pump_->flush();
            check(client.reason && client.reason->check<ConnectionDone>(), "the client did not end cleanly: " + why());
            check(server.reason && server.reason->check<ConnectionDone>(), "the server did not end cleanly: " + why());
        } else {
            if (heardOut_ >= 0) {
                const auto place = static_cast<std::size_t>(heardOut_);
                check(parties_[1 - place]->received == parties_[place]->sent,
                      "loseConnection cut off what was written");
            }
            pump_->advance(std::chrono::seconds(6));   // a peer that was left in the middle of a close
            pump_->advance(std::chrono::seconds(30));  // or of a handshake
            for (const auto& party : parties_) party->lose();
            pump_->flush();
            compare();
            check(client.reason && server.reason, "connectionLost has not come");
            for (const auto& party : parties_) {
                if (!party->reason) continue;
                check((party->reason->check<ConnectionDone, ConnectionLost>()), "a strange reason: " + why());
            }
            if (aborted_ != nullptr) {
                check(aborted_->reason->check<ConnectionAborted>(), "an abort has another reason: " + why());
            }
        }
        check(client.allFired() && server.allFired(), "a Deferred has not fired at the end, or twice");
        check(pump_->clock().getDelayedCalls().empty(), "a timer is left behind");
    }

    std::string why() const {
        std::string text;
        for (const auto& party : parties_) {
            text += (party->reason ? party->reason->typeName() + ": " + party->reason->getErrorMessage() : "-") + "; ";
        }
        return text;
    }

    const Script& script_;
    std::vector<std::string> faults_;
    std::shared_ptr<Party> parties_[2] = {std::make_shared<Party>(true, faults_),
                                          std::make_shared<Party>(false, faults_)};
    std::unique_ptr<testing::IOPump> pump_;
    Bytes wire_;
    std::size_t searched_ = 0;
    std::size_t compared_[2] = {0, 0};
    int number_ = 0;
    bool ended_ = false;
    int heardOut_ = -1;  ///< who closed with nothing pending: all that it had said must arrive
    const Party* aborted_ = nullptr;
};

}  // namespace

std::vector<std::string> runModel(const Script& script) { return World(script).run(); }

Script shrink(Script script) {
    for (std::size_t piece = script.size() / 2; piece > 0; piece /= 2) {
        for (std::size_t begin = 0; begin + piece <= script.size();) {
            Script shorter = script;
            const auto from = shorter.begin() + static_cast<std::ptrdiff_t>(begin);
            shorter.erase(from, from + static_cast<std::ptrdiff_t>(piece));
            if (runModel(shorter).empty()) {
                begin += piece;
            } else {
                script = std::move(shorter);
            }
        }
    }
    return script;
}

}  // namespace torsion::test
