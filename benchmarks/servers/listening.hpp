#pragma once

/// What every server does before it serves: limits, signals, the listening socket and the line that says so.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// How many connections may wait to be accepted.
constexpr int kBacklog = 4096;

/// Reading pauses while more octets than this wait to be sent to a client.
constexpr std::size_t kHighWater = 64 * 1024;

/// How much is read from a socket at a time.
constexpr std::size_t kReadSize = 64 * 1024;

/// A longer line ends its connection, as LineReceiver.MAX_LENGTH does.
constexpr std::size_t kLongestLine = 16 * 1024;

/// Says what failed with the system's reason, and ends the program.
[[noreturn]] inline void fail(char const* what) {
    std::perror(what);
    std::exit(1);
}

/// SIGTERM ends the program with status 0, a vanished client does not end it, and it may open as many files as allowed.
inline void prepareProcess() {
    std::signal(SIGTERM, [](int) { _exit(0); });
    std::signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/// A non-blocking socket that listens on 127.0.0.1; ends the program if there is none to be had.
inline int listenOnLoopback(std::uint16_t port) {
    int const listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) fail("socket");
    int const on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) fail("bind to 127.0.0.1");
    if (listen(listener, kBacklog) != 0) fail("listen on 127.0.0.1");
    return listener;
}

/// Prints where the socket listens, as the load generator and the runner read it.
inline void announce(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
    std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(ntohs(address.sin_port)));
    std::fflush(stdout);
}

/// Small answers go out at once.
inline void setNoDelay(int socket) {
    int const on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
