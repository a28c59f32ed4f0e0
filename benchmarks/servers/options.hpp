#pragma once

/// The command line that all the peers' echo servers share: `X_server PORT MODE CERT`.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

/// What a server is asked to do.
struct ServerOptions {
    std::uint16_t port = 0;   ///< 0 lets the system choose
    unsigned layers = 0;      ///< of TLS: 0 is plain TCP, 2 is TLS in TLS
    bool lines = false;       ///< send lines back, not octets as they come
    std::string certificate;  ///< path of a PEM file with a key and its certificate
};

/// The most layers that `nestedN` can ask for.
constexpr unsigned kDeepest = 8;

/// The exit status for a wrong command line, EX_USAGE of sysexits.h.
constexpr int kUsage = 64;

/// Says what is wrong with the command line, and ends the program.
[[noreturn]] inline void refuse(char const* program, std::string const& why) {
    std::fprintf(stderr,
                 "%s: %s\nusage: %s PORT MODE CERT, where MODE is plain, tls, nestedN (N of 0 to 8), plain-lines or "
                 "tls-lines\n",
                 program, why.c_str(), program);
    std::exit(kUsage);
}

/// Reads MODE into the options; false if there is no such mode.
inline bool readMode(std::string_view mode, ServerOptions& options) {
    constexpr std::string_view kLines = "-lines";
    constexpr std::string_view kNested = "nested";
    if (mode.ends_with(kLines)) {
        options.lines = true;
        mode.remove_suffix(kLines.size());
        if (mode != "plain" && mode != "tls") return false;
    }
    if (mode == "plain") return true;
    if (mode == "tls") {
        options.layers = 1;
        return true;
    }
    if (mode.size() != kNested.size() + 1 || !mode.starts_with(kNested)) return false;
    char const digit = mode.back();
    if (digit < '0' || digit > '0' + static_cast<char>(kDeepest)) return false;
    options.layers = static_cast<unsigned>(digit - '0');
    return true;
}

/// Reads the command line; ends the program with status 64 if it is wrong.
/// @param deepest how many layers of TLS this peer can do
inline ServerOptions serverOptions(int argc, char** argv, unsigned deepest = kDeepest) {
    if (argc != 4) refuse(argv[0], "three arguments are needed");
    ServerOptions options;
    char* end = nullptr;
    long const port = std::strtol(argv[1], &end, 10);
    if (end == argv[1] || *end != '\0' || port < 0 || port > 65535) {
        refuse(argv[0], "PORT is " + std::string(argv[1]) + ", which is not a number of 0 to 65535");
    }
    options.port = static_cast<std::uint16_t>(port);
    if (!readMode(argv[2], options)) refuse(argv[0], "there is no mode " + std::string(argv[2]));
    if (options.layers > deepest) {
        refuse(argv[0], "mode " + std::string(argv[2]) + " is deeper than the " + std::to_string(deepest) +
                            " layers that this server can do");
    }
    options.certificate = argv[3];
    return options;
}
