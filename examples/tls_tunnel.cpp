/// A tunnel of TLS in TLS over two hops, each with a key pair of its own, of which no hop sees more than its own layer
/// (the nested-TLS answer's advice). Three processes of this program stand between a client and a service:
///
///     client --> entry --TLS(B) in TLS(A)--> hop1 --TLS(B)--> hop2 --> service
///
///     make_certificates a; make_certificates b            # folders that are there
///     tls_tunnel hop2 --cert b/server.pem                 # 8081, takes B off, the service is echoserv on 8000
///     tls_tunnel hop1 --cert a/server.pem                 # 8080, takes A off, hop2 is next
///     tls_tunnel entry --ca a/public.pem --ca b/public.pem       # 30000, puts both on, hop1 is next
///
/// Ends are carried across: each direction ends by itself, behind what was received, and an unclean end resets the
/// other side, so that nobody takes a stream that was cut for a whole one.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

/// One end of a relayed connection: what it receives, the other end writes.
class RelayEnd : public Protocol, public HalfCloseableProtocol {
public:
    /// From now on the two belong together. Each reads only as fast as the other one writes, and over TLS that is not
    /// before the handshakes are done.
    void join(const std::shared_ptr<RelayEnd>& other) {
        other_ = other;
        other->other_ = std::static_pointer_cast<RelayEnd>(shared_from_this());
        transport().resumeProducing();
        other->transport().resumeProducing();
        transport().registerProducer(other->transportHandle(), true);
        other->transport().registerProducer(transportHandle(), true);
    }

    void dataReceived(BytesView data) override { other_->transport().write(data); }

    /// A FIN on plain TCP, a close_notify on TLS: this direction is over, and the other one may go on.
    void readConnectionLost() override {
        if (!other_) return transport().loseConnection();
        other_->transport().unregisterProducer();  // the end waits for it otherwise
        other_->transport().as<TCPTransport>().loseWriteConnection();
    }
    void writeConnectionLost() override {}

    void connectionLost(const Failure& reason) override {
        const std::shared_ptr<RelayEnd> other = std::exchange(other_, nullptr);
        if (other) other->end(reason);
    }

protected:
    /// Ends this side as the other one has ended.
    void end(const Failure& reason) {
        other_.reset();
        transport().unregisterProducer();
        if (reason.check<ConnectionDone>()) {
            transport().loseConnection();
        } else {
            transport().failConnection(reason);
            transport().abortConnection();
        }
    }

private:
    std::shared_ptr<RelayEnd> other_;
};

/// The end that we connected.
class Outbound : public RelayEnd {
public:
    explicit Outbound(std::shared_ptr<RelayEnd> inbound) : inbound_(std::move(inbound)) {}

    void connectionMade() override { join(std::exchange(inbound_, nullptr)); }

    void connectionLost(const Failure& reason) override {
        sayWhoseHandshakeFailed();
        RelayEnd::connectionLost(reason);
    }

private:
    /// The reason is the same kind of text for each layer, so the log says at which hop the layer ends.
    void sayWhoseHandshakeFailed() const {
        int layers = 0;
        int up = 0;
        for (Transport* layer = &transport(); layer != nullptr; layer = layer->lower()) {
            const auto* tls = dynamic_cast<const SSLTransport*>(layer);
            if (tls == nullptr) continue;
            ++layers;
            if (!tls->tlsVersion().empty()) ++up;
        }
        if (up < layers) log::msg(fmt::format("no TLS with hop{}", up + 1));
    }

    std::shared_ptr<RelayEnd> inbound_;
};

/// The end that was connected to us. It reads nothing while there is nobody to write it to.
class Inbound : public RelayEnd, public HandshakeListener {
public:
    explicit Inbound(std::shared_ptr<StreamClientEndpoint> next) : next_(std::move(next)) {}

    void connectionMade() override {
        if (transport().query<SSLTransport>() == nullptr) goOn();
    }
    void handshakeCompleted() override { goOn(); }

    void connectionLost(const Failure& reason) override {
        examples::lost(reason);
        RelayEnd::connectionLost(reason);
    }

private:
    void goOn() {
        transport().pauseProducing();
        const auto self = std::static_pointer_cast<Inbound>(shared_from_this());
        const auto factory = Factory::forProtocol<Outbound>(self);
        factory->noisy = false;
        scope().watch(next_->connect(factory)).addErrback([self](const Failure& reason) { self->end(reason); });
    }

    std::shared_ptr<StreamClientEndpoint> next_;
};

namespace {

/// The places of the advice, where each process finds the next one without being told.
struct Stage {
    const char* name;
    int port;
    const char* next;
};
constexpr std::array<Stage, 3> kStages{{
    {"entry", 30000, "tcp:localhost:8080"},
    {"hop1", 8080, "tcp:localhost:8081"},
    {"hop2", 8081, "tcp:localhost:8000"},
}};

const Stage* stageNamed(const std::string& name) {
    const auto* found = std::find_if(kStages.begin(), kStages.end(), [&](const Stage& s) { return name == s.name; });
    return found == kStages.end() ? nullptr : found;
}

std::string stage;
std::string next;
bool stageComesFirst = false;

}  // namespace

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    if (!stageComesFirst) throw examples::BadInput("the stage comes first, then the options: tls_tunnel " + stage);
    std::shared_ptr<StreamClientEndpoint> onward = endpoints::clientFromString(reactor, next);
    std::shared_ptr<Factory> factory;
    if (stage == "entry") {
        for (std::size_t layer : {0U, 1U}) {
            auto recipe = ssl::optionsForClientTLS(options.hostname(layer), options.trustRoot(layer));
            onward = endpoints::wrapClientTLS(recipe, onward);
        }
        factory = Factory::forProtocol<Inbound>(onward);
    } else {
        auto plain = Factory::forProtocol<Inbound>(onward);
        auto recipe = options.ownCertificate().options();
        factory = std::make_shared<TLSMemoryBIOFactory>(recipe, ssl::Role::server, plain);
    }
    auto endpoint = endpoints::TCP4ServerEndpoint(reactor, options.port(), examples::kBacklog, options.interface());
    auto port = co_await endpoint.listen(factory);
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    const Stage* chosen = argc > 1 ? stageNamed(argv[1]) : nullptr;
    stageComesFirst = chosen != nullptr;
    const Stage& defaults = chosen != nullptr ? *chosen : kStages.front();
    next = defaults.next;
    examples::Options options("tls_tunnel", "Relays through two layers of TLS, which end at different hops.");
    options.choice("stage", stage, {"entry", "hop1", "hop2"}, "which part of the tunnel to be; comes first");
    options.server(defaults.port).certificate().verifyLayers();
    options.text("--to", next, "the endpoint to connect to for each connection, by default the next stage's");
    return options.run(argc, argv, serve);
}
