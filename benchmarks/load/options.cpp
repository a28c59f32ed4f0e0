#include "options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>

namespace {

constexpr std::size_t kKiB = 1024;

struct Defaults {
    const char* name;
    std::size_t connections, size, window;
    bool windowInMessages;
};

constexpr Defaults kCases[] = {
    {"stream", 8, 64 * kKiB, 256 * kKiB, false},
    {"pingpong", 64, 64, 1, true},
    {"pipelined", 64, 64, 16, true},
    {"connect", 32, 64, 1, true},
    {"resume", 32, 64, 1, true},
    {"lines", 8, 64, 256 * kKiB, false},
    {"idle", 10000, 64, 1, true},
};

void fillDefaults(LoadOptions& options) {
    const auto& found =
        *std::find_if(std::begin(kCases), std::end(kCases), [&](auto& each) { return options.caseName == each.name; });
    if (options.connections == 0) options.connections = found.connections;
    if (options.size == 0) options.size = found.size;
    if (options.window == 0) options.window = found.window;
    if (found.windowInMessages) options.window *= options.size;
    options.window = std::max(options.window, options.size);
    // Lines go in batches. Everything else is written message by message, which under TLS makes a record of each.
    options.write = options.lines() ? std::max(64 * kKiB / options.size, std::size_t{1}) * options.size : options.size;
}

void parse(CLI::App& app, LoadOptions& options, int argc, char** argv) {
    std::vector<std::string> names;
    for (const auto& each : kCases) names.emplace_back(each.name);
    app.add_option("PORT", options.port, "of the server on 127.0.0.1")->required();
    app.add_option("CASE", options.caseName, "what to do to it")->required()->check(CLI::IsMember(names));
    app.add_option("--tls", options.tls, "layers of TLS")->check(CLI::Range(0, 8));
    app.add_option("--connections", options.connections, "open at a time")->check(CLI::Range(1, 1000000));
    app.add_option("--size", options.size, "octets of a message, a line with its CRLF, or a write")
        ->check(CLI::Range(1, 16 * 1024 * 1024));
    app.add_option("--window", options.window,
                   "in flight a connection: messages (pingpong, pipelined), octets (stream, lines)")
        ->check(CLI::Range(1, 64 * 1024 * 1024));
    app.add_option("--seconds", options.seconds, "measured time")->check(CLI::Range(0.01, 3600.0));
    app.add_option("--warmup", options.warmup, "seconds before it")->check(CLI::Range(0.0, 3600.0));
    app.add_option("--patience", options.patience, "seconds that a connection may wait for anything")
        ->check(CLI::Range(0.05, 3600.0));
    app.add_option("--pid", options.pid, "the server, whose processor time and memory are read")
        ->check(CLI::PositiveNumber);
    app.parse(argc, argv);
    fillDefaults(options);
    if (options.lines() && options.size < 3) throw CLI::ValidationError("--size: a line has at least 3 octets");
    if (options.caseName == "resume" && options.tls == 0)
        throw CLI::ValidationError("CASE: to resume a session takes --tls 1 or more");
    if (options.caseName == "idle" && options.pid == 0)
        throw CLI::ValidationError("CASE: to read the memory of the server takes --pid");
}

}  // namespace

LoadOptions parseOptions(int argc, char** argv) {
    LoadOptions options;
    CLI::App app("Puts load on an echo server on 127.0.0.1, checks every octet, and prints one line of JSON.");
    try {
        parse(app, options, argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 64);
    }
    return options;
}
