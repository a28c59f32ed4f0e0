/// One line ten thousand times over TLS, with the tuned settings of the notes on Python's ssl module if asked for.

#include <cstring>

#include <fmt/format.h>

#include <torsion/examples/conversation.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

namespace {

constexpr BytesView kLine = "Beatiful is better than ugly";
constexpr std::size_t kTimes = 10000;

std::string role;
bool forwardSecrecy = false;

/// TLS 1.2 with ephemeral keys and AES-128 only. That the server chooses and nothing is compressed is the default.
ssl::CertificateOptions::Parameters tuned(ssl::CertificateOptions::Parameters parameters) {
    if (!forwardSecrecy) return parameters;
    return parameters.lowerMaximumSecurityTo(ssl::TLSVersion::TLSv1_2)
        .acceptableCiphers(ssl::AcceptableCiphers::fromOpenSSLCipherString("ECDH+AES128"));
}

std::string text(const Address& address) { return fmt::format("{}:{}", address.host(), address.port()); }

/// Whether @p data is something kTimes over.
bool isWhole(BytesView data) {
    const std::size_t length = data.size() / kTimes;
    return length > 0 && data.size() == length * kTimes && data.substr(length) == data.substr(0, data.size() - length);
}

}  // namespace

class DemoServer : public Protocol {
public:
    explicit DemoServer(Deferred<void> served) : served_(std::move(served)) {}

    void connectionMade() override {
        examples::print(fmt::format("SSL server binding at: {}, connected to: {}", text(transport().getHost()),
                                    text(transport().getPeer())));
        Bytes lines;
        for (std::size_t i = 0; i < kTimes; ++i) lines += kLine;
        transport().write(std::move(lines));
        transport().loseConnection();
    }
    void connectionLost(const Failure& reason) override {
        examples::lost(reason);
        examples::print("SSL server closed");
        if (reason.check<ConnectionClosed>()) {
            served_.callback();
        } else {
            served_.errback(reason);  // TLS itself failed, and nothing was served
        }
    }

private:
    Deferred<void> served_;
};

class DemoClient : public Protocol {
public:
    explicit DemoClient(examples::Conversation conversation) : conversation_(std::move(conversation)) {}

    void connectionMade() override {
        examples::print(fmt::format("SSL client binding at: {}, connecting to: {}", text(transport().getHost()),
                                    text(transport().getPeer())));
    }
    void dataReceived(BytesView data) override { data_ += data; }
    void connectionLost(const Failure& reason) override {
        // Whole is whole, also if the server, as the original, ends without a close_notify.
        const std::string received = fmt::format("{} octets came", data_.size());
        if (isWhole(data_))
            conversation_.ok(received);
        else if (reason.check<ConnectionDone>())
            conversation_.bad("only " + received);
        conversation_.lost(reason);
    }

private:
    examples::Conversation conversation_;
    Bytes data_;
};

/// Builds one protocol and refuses whoever comes later.
class OneConnectionFactory : public Factory {
public:
    explicit OneConnectionFactory(Deferred<void> served) : served_(std::move(served)) {}
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        if (std::exchange(taken_, true)) return nullptr;
        return std::make_shared<DemoServer>(served_);
    }

private:
    Deferred<void> served_;
    bool taken_ = false;
};

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto parameters = ssl::CertificateOptions::Parameters(options.ownCertificate());
    // Python's server-side default: authorities are loaded, and yet no client is asked for a certificate.
    if (options.authoritiesGiven()) parameters.caCerts(options.trustRoot().authorities()).verify(false);
    auto tls = ssl::CertificateOptions(tuned(parameters));
    Deferred<void> served;
    auto factory = std::make_shared<OneConnectionFactory>(served);
    auto port = reactor.listenSSL(options.port(), factory, tls, examples::kBacklog, options.interface());
    examples::listening(reactor, *port);
    co_await std::move(served);
}

/// A client's recipe. The notes' own settings verify nobody; ours do as soon as there is somebody to trust.
std::shared_ptr<const ssl::ContextFactory> recipe(const examples::Options& options) {
    const auto extra = tuned(ssl::CertificateOptions::Parameters());
    if (forwardSecrecy && !options.authoritiesGiven()) {
        log::startLogging(stderr);  // where the library will warn
        return ssl::insecureOptionsForClientTLS(options.hostname(), {}, extra).share();
    }
    return ssl::optionsForClientTLS(options.hostname(), options.trustRoot(), std::nullopt, {}, extra).share();
}

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    auto tls = recipe(options);
    auto endpoint = endpoints::SSL4ClientEndpoint(reactor, options.host(), options.port(), *tls);
    co_await endpoint.connect(Factory::forProtocol<DemoClient>(conversation));
    co_await conversation.over();
}

int main(int argc, char** argv) {
    char longForm[] = "--ca";
    for (int i = 1; i < argc; ++i) {
        // The original's option has one dash and two letters, which the options library takes for `-c a`.
        if (std::strcmp(argv[i], "-ca") == 0) argv[i] = longForm;
    }
    examples::Options options("ssl_demo", "Sends a line ten thousand times over TLS, once, or receives it.");
    options.choice("role", role, {"client", "server"}, "which end to be").hostAndPort(1060);
    options.shortFiles().flag("--pfs", forwardSecrecy, "TLS 1.2 with ephemeral keys and AES-128 only");
    const bool server = argc > 1 && std::strcmp(argv[1], "server") == 0;
    return server ? options.run(argc, argv, serve) : options.run(argc, argv, talk);
}
