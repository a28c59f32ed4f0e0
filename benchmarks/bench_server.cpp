/// torsion's echo server for any load generator: bench_server PORT MODE CERT.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/benchmarks/torsion_server.hpp>

using namespace torsion;

namespace {

constexpr int kMostLayers = 8;

class LineEcho final : public LineReceiver {
public:
    void connectionMade() override { Echo::configure(transport()); }
    void lineReceived(BytesView line) override { sendLine(line); }
};

/// What a mode stands for: what is on top, and how much is under it.
struct Mode {
    bool lines = false;
    int tlsLayers = 0;
    int wrappers = 0;
};

std::optional<int> countBehind(std::string_view text, std::string_view word) {
    if (!text.starts_with(word)) return std::nullopt;
    text.remove_prefix(word.size());
    return parseNumber(text, 0, kMostLayers);
}

std::optional<Mode> parseMode(std::string_view text) {
    Mode mode;
    if (text == "plain") return mode;
    if (text == "tls") return mode.tlsLayers = 1, mode;
    if (text == "plain-lines") return mode.lines = true, mode;
    if (text == "tls-lines") return mode.lines = true, mode.tlsLayers = 1, mode;
    if (const auto layers = countBehind(text, "nested")) return mode.tlsLayers = *layers, mode;
    if (const auto wrappers = countBehind(text, "wrapped")) return mode.wrappers = *wrappers, mode;
    return std::nullopt;
}

int usage(const std::string& complaint) {
    std::fprintf(stderr,
                 "bench_server: %s\n"
                 "usage: bench_server PORT MODE CERT\n"
                 "  PORT  on 127.0.0.1; 0 picks one\n"
                 "  MODE  plain, tls, nested2, nested3 (nestedN: 0 to %d layers of TLS), plain-lines, tls-lines,\n"
                 "        wrappedN (plain under 0 to %d wrappers that do nothing)\n"
                 "  CERT  a PEM file with key and certificate; not read unless MODE has TLS\n",
                 complaint.c_str(), kMostLayers, kMostLayers);
    return kUsage;
}

std::shared_ptr<Factory> makeFactory(const Mode& mode, const std::string& certificateFile) {
    std::shared_ptr<Factory> factory;
    if (mode.lines) {
        factory = Factory::forProtocol<LineEcho>();
    } else {
        factory = Factory::forProtocol<Echo>();
    }
    for (int i = 0; i < mode.wrappers; ++i) factory = std::make_shared<WrappingFactory>(factory);
    if (mode.tlsLayers != 0) {
        const ssl::CertificateOptions options = tlsOptions(certificateFile);
        for (int i = 0; i < mode.tlsLayers; ++i) {
            factory = std::make_shared<TLSMemoryBIOFactory>(options, ssl::Role::server, factory);
        }
    }
    return factory;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return usage("three arguments are needed");
    const std::optional<int> port = parseNumber(argv[1], 0, 65535);
    if (!port) return usage("'" + std::string(argv[1]) + "' is no port (0 to 65535)");
    const std::optional<Mode> mode = parseMode(argv[2]);
    if (!mode) return usage("unknown mode '" + std::string(argv[2]) + "'");
    try {
        LibeventReactor reactor;
        const auto factory = makeFactory(*mode, argv[3]);
        const auto listening = reactor.listenTCP(*port, factory, kBacklog, "127.0.0.1");
        std::printf("listening on 127.0.0.1:%d\n", static_cast<int>(listening->getHost().port()));
        std::fflush(stdout);
        reactor.run();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "bench_server: %s\n", problem.what());
        return 1;
    }
    return 0;
}
