/// Shows the certificate of a server on the Internet, if the platform trusts it (check_server_certificate.py).

#include <torsion/examples/conversation.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class ShowCertificate : public Protocol {
public:
    explicit ShowCertificate(examples::Conversation conversation) : conversation_(std::move(conversation)) {}

    void connectionMade() override { transport().write("GET / HTTP/1.0\r\n\r\n"); }
    void dataReceived(BytesView) override {
        conversation_.ok(ssl::Certificate::peerFromTransport(transport()).str());
        transport().loseConnection();
    }
    void connectionLost(const Failure& reason) override { conversation_.lost(reason); }

private:
    examples::Conversation conversation_;
};

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto tls = ssl::optionsForClientTLS(options.hostname(), options.trustRoot(), std::nullopt, {}, options.demands());
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), tls);
    co_await endpoints::connectProtocol(endpoint, std::make_shared<ShowCertificate>(conversation));
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("check_server_certificate", "Shows the certificate of an HTTPS server.");
    return options.client(443).verifyOnPlatform().revocation().run(argc, argv, talk);
}
