/// An echo server with standalone Asio: async_read_some and async_write with callbacks, asio::ssl::stream for TLS, and
/// a stream of a stream for layers. Each depth is a type of its own, so that it stops at three.
///
/// As its documentation advises for one thread: no locks (ASIO_CONCURRENCY_HINT_UNSAFE), and the executor's own type in
/// place of any_io_executor.

#define ASIO_STANDALONE 1
#define ASIO_NO_DEPRECATED 1

#include <torsion/benchmarks/servers/listening.hpp>
#include <torsion/benchmarks/servers/options.hpp>
#include <torsion/benchmarks/servers/tls_context.hpp>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <asio.hpp>
#include <asio/ssl.hpp>
#pragma GCC diagnostic pop

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

constexpr unsigned kAsioDeepest = 3;

/// A socket under some layers of TLS.
template <unsigned layers>
struct Layered {
    using Stream = asio::ssl::stream<typename Layered<layers - 1>::Stream>;
    static Stream make(Socket&& socket, asio::ssl::context& context) {
        return Stream(Layered<layers - 1>::make(std::move(socket), context), context);
    }
};

template <>
struct Layered<0> {
    using Stream = Socket;
    static Stream make(Socket&& socket, asio::ssl::context&) { return std::move(socket); }
};

/// Shakes hands in every layer, the lowest first, then calls done().
template <typename Next, typename Done>
void handshake(asio::ssl::stream<Next>& stream, Done done) {
    handshake(stream.next_layer(), [&stream, done = std::move(done)]() mutable {
        stream.async_handshake(asio::ssl::stream_base::server,
                               [done = std::move(done)](asio::error_code error) mutable {
                                   if (!error) done();
                               });
    });
}

template <typename Done>
void handshake(Socket&, Done done) {
    done();
}

/// Says close_notify in every layer, the topmost first, without waiting for the client's; then calls done().
template <typename Next, typename Done>
void shutDown(asio::ssl::stream<Next>& stream, Done done) {
    SSL_set_shutdown(stream.native_handle(), SSL_get_shutdown(stream.native_handle()) | SSL_RECEIVED_SHUTDOWN);
    stream.async_shutdown([&stream, done = std::move(done)](asio::error_code) mutable {
        shutDown(stream.next_layer(), std::move(done));
    });
}

template <typename Done>
void shutDown(Socket&, Done done) {
    done();
}

/// One client; it lives as long as something is asked of its socket.
template <unsigned layers>
class Session : public std::enable_shared_from_this<Session<layers>> {
public:
    Session(Socket&& socket, asio::ssl::context& context)
        : stream_(Layered<layers>::make(std::move(socket), context)) {}

    void start(bool lines) {
        handshake(stream_, [self = this->shared_from_this(), lines] {
            if (lines) {
                self->input_.reserve(kReadSize);
                self->readLines();
            } else {
                self->read();
            }
        });
    }

private:
    void read() {
        stream_.async_read_some(asio::buffer(buffer_),
                                [self = this->shared_from_this()](asio::error_code error, std::size_t size) {
                                    if (error) return self->end(error);
                                    self->write(size);
                                });
    }

    void write(std::size_t size) {
        asio::async_write(stream_, asio::buffer(buffer_, size),
                          [self = this->shared_from_this()](asio::error_code error, std::size_t) {
                              if (!error) self->read();
                          });
    }

    void readLines() {
        asio::async_read_until(stream_, asio::dynamic_buffer(input_, kReadSize), "\r\n",
                               [self = this->shared_from_this()](asio::error_code error, std::size_t) {
                                   if (error) return self->end(error);
                                   self->answerLines();
                               });
    }

    /// All lines that have come are answered by one write.
    void answerLines() {
        output_.clear();
        std::string_view rest = input_;
        for (std::size_t end = 0; (end = rest.find("\r\n")) != std::string_view::npos;) {
            if (end > kLongestLine) return finish();
            output_.append(rest.substr(0, end));
            output_.append("\r\n", 2);
            rest.remove_prefix(end + 2);
        }
        input_.erase(0, input_.size() - rest.size());
        asio::async_write(stream_, asio::buffer(output_),
                          [self = this->shared_from_this()](asio::error_code error, std::size_t) {
                              if (!error) self->readLines();
                          });
    }

    void end(asio::error_code error) {
        if (error == asio::error::connection_reset) return;
        finish();
    }

    void finish() {
        shutDown(stream_, [self = this->shared_from_this()] {});
    }

    typename Layered<layers>::Stream stream_;
    std::array<char, kReadSize> buffer_;  // left as it is, so that an idle connection does not pay for pages of it
    std::string input_;                   // of lines
    std::string output_;
};

template <unsigned layers>
void accept(Acceptor& acceptor, asio::ssl::context& context, bool lines) {
    acceptor.async_accept([&acceptor, &context, lines](asio::error_code error, Socket socket) {
        if (error) {
            std::fprintf(stderr, "accept: %s\n", error.message().c_str());
            std::exit(1);
        }
        setNoDelay(socket.native_handle());
        std::make_shared<Session<layers>>(std::move(socket), context)->start(lines);
        accept<layers>(acceptor, context, lines);
    });
}

}  // namespace

int main(int argc, char** argv) {
    ServerOptions const options = serverOptions(argc, argv, kAsioDeepest);
    prepareProcess();
    asio::ssl::context context(options.layers > 0 ? makeServerContext(options.certificate)
                                                  : SSL_CTX_new(TLS_server_method()));
    asio::io_context io(ASIO_CONCURRENCY_HINT_UNSAFE);
    int const socket = listenOnLoopback(options.port);
    Acceptor acceptor(io, tcp::v4(), socket);
    announce(socket);
    switch (options.layers) {
        case 0: accept<0>(acceptor, context, options.lines); break;
        case 1: accept<1>(acceptor, context, options.lines); break;
        case 2: accept<2>(acceptor, context, options.lines); break;
        default: accept<3>(acceptor, context, options.lines); break;
    }
    io.run();
}
