#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

/// What to do to which server; the command line of bench_load.
struct LoadOptions {
    std::uint16_t port = 0;
    std::string caseName;
    int tls = 0;                  ///< layers of TLS, 0 to 8
    std::size_t connections = 0;  ///< open at a time
    std::size_t size = 0;         ///< octets of a message, a line (with its CRLF) or a write
    std::size_t window = 0;       ///< octets in flight a connection at most
    std::size_t write = 0;        ///< octets that are written at once at most
    double seconds = 2;           ///< measured time
    double warmup = 0.5;          ///< before it
    double patience = 10;         ///< how long a connection may wait for anything
    pid_t pid = 0;                ///< the server, 0: its processor time and memory are not read

    bool lines() const { return caseName == "lines"; }
};

/// @returns the options, with the defaults of the case put in; on unusable ones and on --help it ends the program.
LoadOptions parseOptions(int argc, char** argv);
