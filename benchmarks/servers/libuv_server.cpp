/// An echo server with libuv. It has no TLS of its own; the layers are made by hand, as in epoll_server.
///
/// As libuv's guide advises: one buffer that all reads share, uv_try_write first, and uv_write for what is left.

#include <uv.h>
#include <torsion/benchmarks/servers/line_splitter.hpp>
#include <torsion/benchmarks/servers/listening.hpp>
#include <torsion/benchmarks/servers/options.hpp>
#include <torsion/benchmarks/servers/tls_context.hpp>
#include <torsion/benchmarks/servers/tls_stack.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace {

/// One client; it is freed when its handle is closed.
struct Connection {
    uv_tcp_t handle{};
    bool ending = false;  ///< to be closed when what waits is sent
    bool paused = false;
    std::unique_ptr<TlsStack> tls;
    std::unique_ptr<LineSplitter> lines;

    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle); }
    std::size_t waiting() { return uv_stream_get_write_queue_size(stream()); }
};

/// What uv_try_write left over.
struct WriteRequest {
    uv_write_t request{};
    std::string data;
};

ServerOptions options;
SSL_CTX* context = nullptr;
// Used within one callback, by all connections.
std::array<char, kReadSize> input;
std::array<char, kReadSize + 32 * 1024> plaintext;  // what one read and a record that was begun can hold
std::array<char, kReadSize + 64 * 1024> output;     // the answers to that, in one write
std::string lineOutput;

void check(int status, char const* what) {
    if (status >= 0) return;
    std::fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    std::exit(1);
}

void close(Connection& connection) {
    auto* const handle = reinterpret_cast<uv_handle_t*>(&connection.handle);
    if (uv_is_closing(handle) != 0) return;
    uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Connection*>(closed->data); });
}

void allocate(uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(input.data(), input.size()); }

void received(uv_stream_t* stream, ssize_t count, uv_buf_t const* buffer);

/// Stops or starts reading, or closes, as what waits to be sent asks for.
void update(Connection& connection) {
    std::size_t const waiting = connection.waiting();
    if (connection.ending && waiting == 0) {
        close(connection);
        return;
    }
    bool const pause = connection.ending || waiting > kHighWater;
    if (pause == connection.paused) return;
    connection.paused = pause;
    if (pause) {
        uv_read_stop(connection.stream());
    } else {
        check(uv_read_start(connection.stream(), allocate, received), "uv_read_start");
    }
}

void written(uv_write_t* request, int status) {
    std::unique_ptr<WriteRequest> const done(static_cast<WriteRequest*>(request->data));
    auto& connection = *static_cast<Connection*>(request->handle->data);
    if (status < 0) {
        close(connection);
    } else {
        update(connection);
    }
}

/// @returns false if the connection is lost
bool send(Connection& connection, char* data, std::size_t size) {
    if (size == 0) return true;
    uv_buf_t buffer = uv_buf_init(data, static_cast<unsigned>(size));
    int const count = uv_try_write(connection.stream(), &buffer, 1);
    if (count < 0 && count != UV_EAGAIN) return false;
    auto const taken = count < 0 ? 0 : static_cast<std::size_t>(count);
    if (taken == size) return true;
    auto rest = std::make_unique<WriteRequest>();
    rest->data.assign(data + taken, size - taken);
    rest->request.data = rest.get();
    buffer = uv_buf_init(rest->data.data(), static_cast<unsigned>(rest->data.size()));
    if (uv_write(&rest->request, connection.stream(), &buffer, 1, written) != 0) return false;
    rest.release();  // written() frees it
    return true;
}

bool sendTls(Connection& connection) {
    while (std::size_t const count = connection.tls->takeOutput(output.data(), output.size())) {
        if (!send(connection, output.data(), count)) return false;
    }
    return true;
}

/// The answers to some input, in lineOutput.
void answerLines(Connection& connection, std::string_view data) {
    lineOutput.clear();
    bool const good = connection.lines->receive(data, kLongestLine, [](std::string_view line) {
        lineOutput.append(line);
        lineOutput.append("\r\n", 2);
    });
    if (!good) connection.ending = true;
}

bool receiveTls(Connection& connection, std::size_t size) {
    TlsStack& tls = *connection.tls;
    tls.receive(input.data(), size);
    while (std::size_t const count = tls.read(plaintext.data(), plaintext.size())) {
        if (connection.lines) {
            answerLines(connection, std::string_view(plaintext.data(), count));
            tls.write(lineOutput.data(), lineOutput.size());
        } else {
            tls.write(plaintext.data(), count);
        }
    }
    if (tls.ended() || tls.failed()) connection.ending = true;
    if (connection.ending) tls.close();
    return sendTls(connection);
}

bool receive(Connection& connection, ssize_t count) {
    if (count == 0) return true;  // libuv's way to say that there was nothing after all
    if (count < 0) {
        if (count != UV_EOF) return false;
        connection.ending = true;
        if (!connection.tls) return true;
        connection.tls->close();
        return sendTls(connection);
    }
    auto const size = static_cast<std::size_t>(count);
    if (connection.tls) return receiveTls(connection, size);
    if (connection.lines) {
        answerLines(connection, std::string_view(input.data(), size));
        return send(connection, lineOutput.data(), lineOutput.size());
    }
    return send(connection, input.data(), size);
}

void received(uv_stream_t* stream, ssize_t count, uv_buf_t const*) {
    auto& connection = *static_cast<Connection*>(stream->data);
    if (receive(connection, count)) {
        update(connection);
    } else {
        close(connection);
    }
}

void accepted(uv_stream_t* listener, int status) {
    check(status, "accept");
    auto* connection = new Connection;  // freed when its handle is closed
    check(uv_tcp_init(listener->loop, &connection->handle), "uv_tcp_init");
    connection->handle.data = connection;
    if (uv_accept(listener, connection->stream()) != 0) {
        close(*connection);
        return;
    }
    uv_tcp_nodelay(&connection->handle, 1);
    if (context != nullptr) connection->tls = std::make_unique<TlsStack>(context, options.layers);
    if (options.lines) connection->lines = std::make_unique<LineSplitter>();
    check(uv_read_start(connection->stream(), allocate, received), "uv_read_start");
}

}  // namespace

int main(int argc, char** argv) {
    options = serverOptions(argc, argv);
    prepareProcess();
    if (options.layers > 0) context = makeServerContext(options.certificate);
    int const socket = listenOnLoopback(options.port);
    uv_loop_t* const loop = uv_default_loop();
    uv_tcp_t listener;
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_open(&listener, socket), "uv_tcp_open");
    check(uv_listen(reinterpret_cast<uv_stream_t*>(&listener), kBacklog, accepted), "uv_listen");
    announce(socket);
    return uv_run(loop, UV_RUN_DEFAULT);
}
