/// torsion's echo server on several reactors, for any load generator: pool_server PORT MODE CERT REACTORS.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/benchmarks/torsion_server.hpp>

using namespace torsion;

namespace {

/// An echo that first takes some hundredths of a millisecond of processor time for each delivery, as a server with
/// something to do would: what a second processor is for.
class Work final : public Protocol {
public:
    void connectionMade() override { Echo::configure(transport()); }
    void dataReceived(BytesView data) override {
        std::uint64_t hash = 14695981039346656037U;  // FNV-1a, over and over
        for (int round = 0; round < kRounds; ++round) {
            for (const char octet : data) hash = (hash ^ static_cast<unsigned char>(octet)) * 1099511628211U;
        }
        result = hash;
        transport().write(data);
    }

private:
    static constexpr int kRounds = 1500;
    volatile std::uint64_t result = 0;  // or a compiler would see that nobody wants it
};

int usage(const std::string& complaint) {
    std::fprintf(
        stderr,
        "pool_server: %s\n"
        "usage: pool_server PORT MODE CERT REACTORS\n"
        "  PORT      on 127.0.0.1; 0 picks one\n"
        "  MODE      plain, work (plain with something to do for each message) or tls; with -hand-over behind it, one\n"
        "            reactor accepts for all\n"
        "  CERT      a PEM file with key and certificate; not read unless MODE has TLS\n"
        "  REACTORS  how many threads serve, 1 to %zu\n",
        complaint.c_str(), ReactorPool::kMostReactors);
    return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return usage("four arguments are needed");
    const std::optional<int> port = parseNumber(argv[1], 0, 65535);
    if (!port) return usage("'" + std::string(argv[1]) + "' is no port (0 to 65535)");
    std::string_view mode = argv[2];
    Accepting accepting = Accepting::reusePort;
    if (constexpr std::string_view handOver = "-hand-over"; mode.ends_with(handOver)) {
        accepting = Accepting::handOver;
        mode.remove_suffix(handOver.size());
    }
    if (mode != "plain" && mode != "work" && mode != "tls") return usage("unknown mode '" + std::string(argv[2]) + "'");
    const std::optional<int> reactors = parseNumber(argv[4], 1, static_cast<int>(ReactorPool::kMostReactors));
    if (!reactors) return usage("'" + std::string(argv[4]) + "' is no number of reactors");
    try {
        ReactorPool pool(static_cast<std::size_t>(*reactors), accepting);
        const bool works = mode == "work";
        const auto makeFactory = [works](Reactor&) -> std::shared_ptr<Factory> {
            if (works) return Factory::forProtocol<Work>();
            return Factory::forProtocol<Echo>();
        };
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
