/// Puts layers of TLS on a connection and takes them off again, saying a line at each depth (the nested-TLS answer).

#include <fmt/format.h>

#include <torsion/examples/dialogue.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

namespace {
constexpr int kDeepest = 16;
int depth = 2;
int cycles = 2;
int settleMilliseconds = 0;
}  // namespace

class OnionClient : public examples::Dialogue, public OnionListener {
public:
    using Dialogue::Dialogue;
    void connectionMade() override { examples::stateOnion(transport()); }
    void layerStarted(unsigned) override { examples::stateOnion(transport()); }
    void layerStopped(unsigned) override { examples::stateOnion(transport()); }

    /// Says @p line. @throws Error unless @p wanted comes back
    Deferred<void> say(std::string line, std::string wanted) {
        auto answer = co_await ask(line);
        if (answer != wanted) throw Error(fmt::format("the answer to \"{}\" is \"{}\"", line, answer));
    }
};

/// Fires after the time of --settle-ms.
Deferred<void> settled(Reactor& reactor) {
    Deferred<void> fires;
    reactor.callLater(std::chrono::milliseconds(settleMilliseconds), [fires] { fires.callback(); });
    return fires;
}

using Layers = std::vector<ssl::ClientTLSOptions>;

Deferred<void> upAndDown(Reactor& reactor, std::shared_ptr<OnionClient> client, const Layers& layers, int cycle) {
    OnionTransport& onion = client->transport().as<OnionTransport>();
    const std::string start = fmt::format("up 0 {}", cycle);
    co_await client->say(start, start);
    for (const ssl::ClientTLSOptions& layer : layers) {
        co_await client->say("PUSH", "READY");
        co_await onion.startTLS(layer, ssl::Role::client);
        const std::string line = fmt::format("up {} {}", onion.depth(), cycle);
        co_await client->say(line, line);
    }
    while (onion.depth() > 0) {
        co_await client->say("POP", "BYE");
        co_await onion.stopTLS();
        // Peers that lose what shares a segment with a close_notify need a moment to read that alone.
        if (settleMilliseconds > 0) {
            co_await settled(reactor);
        }
        const std::string line = fmt::format("down {} {}", onion.depth(), cycle);
        co_await client->say(line, line);
    }
}

Deferred<void> talk(Reactor& reactor, const examples::Options& options, examples::Conversation conversation) {
    Layers layers;
    for (std::size_t i = 0; i < static_cast<std::size_t>(depth); ++i) {
        layers.push_back(ssl::optionsForClientTLS(options.hostname(i), options.trustRoot(i)));
    }
    auto factory = std::make_shared<OnionFactory>(Factory::forProtocol<OnionClient>(conversation));
    auto endpoint = endpoints::HostnameEndpoint(reactor, options.host(), options.port());
    auto wrapper = co_await endpoint.connect(factory);
    auto client = std::static_pointer_cast<OnionClient>(wrapper->provides<OnionClient>()->shared_from_this());
    try {
        for (int cycle = 0; cycle < cycles; ++cycle) {
            co_await upAndDown(reactor, client, layers, cycle);
        }
        conversation.okIfEndsCleanly(fmt::format("{} layers put on and taken off, {} times", depth, cycles));
        client->transport().loseConnection();
    } catch (const std::exception& error) {
        conversation.bad(error.what());
        if (!client->transport().disconnecting()) client->transport().abortConnection();
    }
    co_await conversation.over();
}

int main(int argc, char** argv) {
    examples::Options options("onion_client", "Wraps a connection in layers of TLS, and unwraps it.");
    options.client().verifyLayers();
    options.number("--depth", depth, 0, kDeepest, "how many layers");
    options.number("--cycles", cycles, 1, 1000, "how many times up and down");
    options.number("--settle-ms", settleMilliseconds, 0, 10000, "how many milliseconds to wait after a layer has gone");
    return options.run(argc, argv, talk);
}
