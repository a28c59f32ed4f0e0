/// An echo server by hand, with epoll and OpenSSL alone: what the libraries are measured against.
///
/// Level-triggered epoll; one read an event into one buffer that all connections share; what was read is sent back at
/// once, and only what the socket does not take waits with its connection, which then waits for EPOLLOUT as well.

#include <sys/epoll.h>
#include <torsion/benchmarks/servers/line_splitter.hpp>
#include <torsion/benchmarks/servers/listening.hpp>
#include <torsion/benchmarks/servers/options.hpp>
#include <torsion/benchmarks/servers/tls_context.hpp>
#include <torsion/benchmarks/servers/tls_stack.hpp>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

namespace {

/// What the socket did not take yet.
struct Waiting {
    std::string data;
    std::size_t sent = 0;

    std::size_t size() const { return data.size() - sent; }
};

/// One client. Most have nothing that waits, so that this is small.
struct Connection {
    int socket = -1;
    std::uint32_t interest = EPOLLIN;
    bool ending = false;  ///< to be closed when what waits is sent
    std::unique_ptr<Waiting> waiting;
    std::unique_ptr<TlsStack> tls;
    std::unique_ptr<LineSplitter> lines;

    ~Connection() {
        if (socket >= 0) close(socket);
    }
};

class Server {
public:
    explicit Server(ServerOptions const& options)
        : options_(options), listener_(listenOnLoopback(options.port)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll_ < 0) fail("epoll_create1");
        if (options.layers > 0) context_ = makeServerContext(options.certificate);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = nullptr;  // stands for the listener
        if (epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) fail("epoll_ctl");
        announce(listener_);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 1024> events;
        for (;;) {
            int const count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR) fail("epoll_wait");
            for (int i = 0; i < count; ++i) {
                epoll_event const& event = events[static_cast<std::size_t>(i)];
                if (event.data.ptr == nullptr) {
                    acceptAll();
                } else {
                    serve(static_cast<Connection*>(event.data.ptr), event.events);
                }
            }
        }
    }

private:
    void acceptAll() {
        for (;;) {
            int const socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket < 0) {
                if (errno == EAGAIN || errno == EWOULDBLOCK) return;
                if (errno == EINTR || errno == ECONNABORTED) continue;
                fail("accept4");
            }
            setNoDelay(socket);
            auto connection = std::make_unique<Connection>();
            connection->socket = socket;
            if (context_ != nullptr) connection->tls = std::make_unique<TlsStack>(context_, options_.layers);
            if (options_.lines) connection->lines = std::make_unique<LineSplitter>();
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.ptr = connection.get();
            if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
            connection.release();  // serve() ends it
        }
    }

    /// One event of a connection, which does not outlive its end.
    void serve(Connection* connection, std::uint32_t events) {
        bool good = true;
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && connection->waiting) good = sendWaiting(*connection);
        if (good && (connection->interest & EPOLLIN) != 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            good = receive(*connection);
        }
        if (!good || (connection->ending && !connection->waiting)) {
            delete connection;
            return;
        }
        updateInterest(*connection);
    }

    /// @returns false if the connection is lost
    bool receive(Connection& connection) {
        ssize_t const count = recv(connection.socket, input_.data(), input_.size(), 0);
        if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        auto const size = static_cast<std::size_t>(count);
        if (size == 0) {
            connection.ending = true;
            if (connection.tls) {
                connection.tls->close();
                return sendTls(connection);
            }
            return true;
        }
        if (connection.tls) return receiveTls(connection, size);
        if (connection.lines) {
            if (!answerLines(connection, std::string_view(input_.data(), size))) connection.ending = true;
            return send(connection, lineOutput_.data(), lineOutput_.size());
        }
        return send(connection, input_.data(), size);
    }

    bool receiveTls(Connection& connection, std::size_t size) {
        TlsStack& tls = *connection.tls;
        tls.receive(input_.data(), size);
        while (std::size_t const count = tls.read(plaintext_.data(), plaintext_.size())) {
            if (connection.lines) {
                if (!answerLines(connection, std::string_view(plaintext_.data(), count))) connection.ending = true;
                tls.write(lineOutput_.data(), lineOutput_.size());
            } else {
                tls.write(plaintext_.data(), count);
            }
        }
        if (tls.ended() || tls.failed()) connection.ending = true;
        if (connection.ending) tls.close();
        return sendTls(connection);
    }

    /// The answers to some input, in lineOutput_.
    bool answerLines(Connection& connection, std::string_view data) {
        lineOutput_.clear();
        return connection.lines->receive(data, kLongestLine, [this](std::string_view line) {
            lineOutput_.append(line);
            lineOutput_.append("\r\n", 2);
        });
    }

    bool sendTls(Connection& connection) {
        while (std::size_t const count = connection.tls->takeOutput(output_.data(), output_.size())) {
            if (!send(connection, output_.data(), count)) return false;
        }
        return true;
    }

    /// Sends at once what the socket takes, and keeps the rest.
    bool send(Connection& connection, char const* data, std::size_t size) {
        if (size == 0) return true;
        if (!connection.waiting) {
            ssize_t const count = ::send(connection.socket, data, size, MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return false;
            auto const taken = count < 0 ? 0 : static_cast<std::size_t>(count);
            if (taken == size) return true;
            data += taken;
            size -= taken;
            connection.waiting = std::make_unique<Waiting>();
        }
        connection.waiting->data.append(data, size);
        return true;
    }

    bool sendWaiting(Connection& connection) {
        Waiting& waiting = *connection.waiting;
        ssize_t const count =
            ::send(connection.socket, waiting.data.data() + waiting.sent, waiting.size(), MSG_NOSIGNAL);
        if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        waiting.sent += static_cast<std::size_t>(count);
        if (waiting.size() == 0) connection.waiting.reset();
        return true;
    }

    /// Asks for EPOLLOUT while something waits, and not for EPOLLIN while much waits or nothing more is to come.
    void updateInterest(Connection& connection) {
        std::uint32_t interest = 0;
        if (connection.waiting) interest |= EPOLLOUT;
        if (!connection.ending && (!connection.waiting || connection.waiting->size() <= kHighWater)) {
            interest |= EPOLLIN;
        }
        if (interest == connection.interest) return;
        connection.interest = interest;
        epoll_event event{};
        event.events = interest;
        event.data.ptr = &connection;
        if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event) != 0) fail("epoll_ctl");
    }

    ServerOptions options_;
    int listener_;
    int epoll_;
    SSL_CTX* context_ = nullptr;
    // Used within one event, by all connections.
    std::array<char, kReadSize> input_;
    std::array<char, kReadSize + 32 * 1024> plaintext_;  // what one read and a record that was begun can hold
    std::array<char, kReadSize + 64 * 1024> output_;     // the answers to that, in one send
    std::string lineOutput_;
};

}  // namespace

int main(int argc, char** argv) {
    ServerOptions const options = serverOptions(argc, argv);
    prepareProcess();
    auto server = std::make_unique<Server>(options);
    server->run();
}
