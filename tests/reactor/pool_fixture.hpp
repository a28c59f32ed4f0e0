#pragma once

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include <torsion/core/address.hpp>
#include <torsion/core/bytes.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion::test {

/// How many descriptors this process has open.
inline std::ptrdiff_t openDescriptors() {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

/// A connection for a thread that may block.
class BlockingClient {
public:
    explicit BlockingClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval patience{60, 0};
        setsockopt(socket_.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            socket_.close();
        }
    }

    bool connected() const { return static_cast<bool>(socket_); }

    bool send(BytesView data) {
        while (!data.empty()) {
            const ssize_t sent = ::send(socket_.descriptor(), data.data(), data.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            data.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// @p count octets, or fewer if the connection ends before.
    Bytes receive(std::size_t count) {
        Bytes all(count, '\0');
        std::size_t have = 0;
        while (have < count) {
            const ssize_t got = ::recv(socket_.descriptor(), all.data() + have, count - have, 0);
            if (got <= 0) break;
            have += static_cast<std::size_t>(got);
        }
        all.resize(have);
        return all;
    }

    Bytes ask(BytesView question) {
        send(question);
        return receive(question.size());
    }

private:
    Socket socket_;
};

class PoolEcho : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

inline int portOf(const std::shared_ptr<PoolPort>& port) { return port->getHost().port(); }

/// Runs @p pool until @p client, on a thread of its own, has returned.
template <class Client>
void runBeside(ReactorPool& pool, Client client) {
    std::thread thread;
    pool.forEach([&](Reactor& reactor) {
        if (pool.current() != 0) return;
        reactor.callWhenRunning([&] {
            thread = std::thread([&] {
                client();
                try {
                    pool.stop();
                } catch (const ReactorNotRunning&) {  // the client has seen to that
                }
            });
        });
    });
    pool.run(false);
    thread.join();
}

inline const char* nameOf(Accepting accepting) { return accepting == Accepting::reusePort ? "reusePort" : "handOver"; }

inline constexpr Accepting kBothWays[] = {Accepting::reusePort, Accepting::handOver};

}  // namespace torsion::test
