/// The echo client over TLS, which verifies whom it talks to (echoclient_ssl.py).

#include <torsion/examples/echo_client.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>

using namespace torsion;

namespace {

int times = 1;
int resumptions = 0;

/// One of several conversations, which says whether its session was resumed.
class ResumingClient : public examples::EchoClient, public HandshakeListener {
public:
    ResumingClient(examples::Conversation conversation, bool last)
        : EchoClient(conversation, times), conversation_(std::move(conversation)), last_(last) {}

    void handshakeCompleted() override {
        examples::print(transport().as<SSLTransport>().sessionReused() ? "session: resumed" : "session: new");
    }

    void connectionLost(const Failure& reason) override {
        if (last_) {
            EchoClient::connectionLost(reason);
        } else {
            examples::lost(reason);
            if (!reason.check<ConnectionDone>()) conversation_.bad(reason.getErrorMessage());
        }
        over.callback();
    }

    Deferred<void> over;

private:
    examples::Conversation conversation_;
    bool last_;
};

/// The sessions are kept by the recipe: all connections must be made with this one.
ssl::ClientTLSOptions recipe(const examples::Options& options) {
    auto extra = ssl::CertificateOptions::Parameters().enableSessions(resumptions > 0);
    return options.limited(ssl::optionsForClientTLS(options.hostname(), options.trustRoot(), std::nullopt, {}, extra));
}

}  // namespace

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto tls = recipe(options);
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), tls);
    if (resumptions == 0) {
        auto factory = Factory::forProtocol<examples::EchoClient>(conversation, times);
        co_await endpoint.connect(factory);
        co_await conversation.over();
        co_return;
    }
    for (int left = resumptions; left >= 0; --left) {
        auto client = std::make_shared<ResumingClient>(conversation, left == 0);
        co_await endpoints::connectProtocol(endpoint, client);
        co_await client->over;
    }
}

int main(int argc, char** argv) {
    examples::Options options("echoclient_ssl", "Sends three lines over TLS and expects them back.");
    options.client().verify().timeouts().number("--times", times, 1, 1000000, "how often to say them");
    options.number("--resume", resumptions, 0, 1000, "how often to connect again and resume the session");
    return options.run(argc, argv, talk);
}
