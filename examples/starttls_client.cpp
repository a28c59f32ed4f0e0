/// Says a plain line, asks for TLS, says a secure line, on one connection (starttls_client.py).

#include <torsion/examples/conversation.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class StartTLSClient : public LineReceiver, public HandshakeListener {
public:
    StartTLSClient(examples::Conversation conversation, ssl::ClientTLSOptions options)
        : conversation_(std::move(conversation)), options_(std::move(options)) {}

    void connectionMade() override {
        examples::statePlain();
        sendLine("plain text");
        sendLine("STARTTLS");
    }
    void lineReceived(BytesView line) override {
        conversation_.heard(line);
        if (line != "READY") return;
        transport().as<TLSTransport>().startTLS(options_);
        sendLine("secure text");  // waits for the handshake, as does the closing
        transport().loseConnection();
    }
    void handshakeCompleted() override {
        const SSLTransport& tls = transport().as<SSLTransport>();
        examples::stateTLS(tls);
        conversation_.okIfEndsCleanly("verified " + options_.hostname() + " over " + tls.tlsVersion());
    }
    void connectionLost(const Failure& reason) override { conversation_.lost(reason); }

private:
    examples::Conversation conversation_;
    ssl::ClientTLSOptions options_;
};

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto tls = ssl::optionsForClientTLS(options.hostname(), options.trustRoot());
    auto factory = Factory::forProtocol<StartTLSClient>(conversation, tls);
    auto endpoint = endpoints::HostnameEndpoint(reactor, options.host(), options.port());
    co_await endpoint.connect(factory);
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("starttls_client", "Turns a plain connection into a secure one.");
    return options.client().verify().run(argc, argv, talk);
}
