/// A client that offers application protocols during the handshake (Twisted's tls_alpn_npn_client.py).

#include <torsion/examples/conversation.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

namespace {
constexpr BytesView kLine = "Which protocol is this?";
}

class NegotiatingClient : public LineReceiver, public HandshakeListener {
public:
    explicit NegotiatingClient(examples::Conversation conversation) : conversation_(std::move(conversation)) {}

    void connectionMade() override { sendLine(kLine); }
    void handshakeCompleted() override {
        examples::negotiated(transport().as<SSLTransport>());
        agreed_ = transport().as<SSLTransport>().negotiatedProtocol();
    }
    void lineReceived(BytesView line) override {
        conversation_.heard(line);
        if (line != kLine) {
            conversation_.bad("the echo is \"" + std::string(line) + '"');
        } else if (!agreed_) {
            conversation_.bad("no protocol was agreed on");
        } else {
            conversation_.ok("agreed on " + *agreed_);
        }
        transport().loseConnection();
    }
    void connectionLost(const Failure& reason) override { conversation_.lost(reason); }

private:
    examples::Conversation conversation_;
    std::optional<std::string> agreed_;
};

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto factory = Factory::forProtocol<NegotiatingClient>(conversation);
    auto tls = ssl::optionsForClientTLS(options.hostname(), options.trustRoot(), std::nullopt, options.protocolList());
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), tls);
    co_await endpoint.connect(factory);
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("tls_alpn_client", "Offers protocols, sends a line and expects it back.");
    return options.client().verify().protocols().run(argc, argv, talk);
}
