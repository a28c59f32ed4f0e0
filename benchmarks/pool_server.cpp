/// torsion's echo server on several reactors, for any load generator: pool_server PORT MODE CERT REACTORS.

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/torsion.hpp>

using namespace torsion;

namespace {

constexpr int kUsage = 64;  // EX_USAGE of sysexits.h
constexpr int kBacklog = 4096;

class Echo final : public Protocol {
public:
    void connectionMade() override {
        auto& tcp = transport().as<TCPTransport>();
        tcp.setTcpNoDelay(true);
        tcp.setFinishWriting(true);
    }
    void dataReceived(BytesView data) override { transport().write(data); }
};

int usage(const std::string& complaint) {
    std::fprintf(stderr,
                 "pool_server: %s\n"
                 "usage: pool_server PORT MODE CERT REACTORS\n"
                 "  PORT      on 127.0.0.1; 0 picks one\n"
                 "  MODE      plain or tls; with -hand-over behind it, one reactor accepts for all\n"
                 "  CERT      a PEM file with key and certificate; not read unless MODE has TLS\n"
                 "  REACTORS  how many threads serve, 1 to %zu\n",
                 complaint.c_str(), ReactorPool::kMostReactors);
    return kUsage;
}

std::optional<int> number(std::string_view text, int low, int high) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) return std::nullopt;
    return value;
}

ssl::CertificateOptions tlsOptions(const std::string& file) {
    const auto certificate = ssl::PrivateCertificate::loadPEM(readFile(file));
    ssl::CertificateOptions::Parameters parameters(certificate);
    parameters.raiseMinimumTo(ssl::TLSVersion::TLSv1_3)
        .acceptableCiphers(ssl::AcceptableCiphers::fromOpenSSLCipherString("TLS_AES_128_GCM_SHA256"))
        .enableSessionTickets(true)
        .numTickets(1);
    return ssl::CertificateOptions(parameters);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return usage("four arguments are needed");
    const std::optional<int> port = number(argv[1], 0, 65535);
    if (!port) return usage("'" + std::string(argv[1]) + "' is no port (0 to 65535)");
    std::string_view mode = argv[2];
    Accepting accepting = Accepting::reusePort;
    if (constexpr std::string_view handOver = "-hand-over"; mode.ends_with(handOver)) {
        accepting = Accepting::handOver;
        mode.remove_suffix(handOver.size());
    }
    if (mode != "plain" && mode != "tls") return usage("unknown mode '" + std::string(argv[2]) + "'");
    const std::optional<int> reactors = number(argv[4], 1, static_cast<int>(ReactorPool::kMostReactors));
    if (!reactors) return usage("'" + std::string(argv[4]) + "' is no number of reactors");
    try {
        ReactorPool pool(static_cast<std::size_t>(*reactors), accepting);
        const auto makeFactory = [](Reactor&) { return Factory::forProtocol<Echo>(); };
        const auto listening = mode == "tls"
                                   ? pool.listenSSL(*port, makeFactory, tlsOptions(argv[3]), kBacklog, "127.0.0.1")
                                   : pool.listenTCP(*port, makeFactory, kBacklog, "127.0.0.1");
        std::printf("listening on 127.0.0.1:%d\n", static_cast<int>(listening->getHost().port()));
        std::fflush(stdout);
        pool.run();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "pool_server: %s\n", problem.what());
        return 1;
    }
    return 0;
}
