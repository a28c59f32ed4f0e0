/// An echo server with libevent's bufferevents, and its OpenSSL bufferevents for TLS; layers on top are filters.
///
/// As libevent's book advises: evbuffer_add_buffer moves what came to the output without a copy, evbuffer_readln finds
/// lines, and bufferevent_disable bounds the output.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <torsion/benchmarks/servers/listening.hpp>
#include <torsion/benchmarks/servers/options.hpp>
#include <torsion/benchmarks/servers/tls_context.hpp>

#include <cstdlib>
#include <vector>

namespace {

/// Of more layers, conversations through libevent 2.1.12's filters broke off with record errors. Why was not found.
constexpr unsigned kLibeventDeepest = 3;

/// One layer of a connection. Plain TCP is a layer without TLS.
struct Layer {
    bufferevent* stream;
    SSL* tls;  ///< none for plain TCP
};

/// One client: its layers, the lowest first. The topmost owns those below.
struct Connection {
    std::vector<Layer> layers;
    std::size_t open = 0;  ///< how many layers have not said close_notify
    bool paused = false;
    bool ending = false;  ///< to be closed when what waits is sent

    ~Connection() { bufferevent_free(top()); }

    bufferevent* top() const { return layers.back().stream; }

    /// How much waits to be sent, in all layers.
    std::size_t waiting() const {
        std::size_t size = 0;
        for (Layer const& layer : layers) size += evbuffer_get_length(bufferevent_get_output(layer.stream));
        return size;
    }
};

ServerOptions options;
SSL_CTX* context = nullptr;
evbuffer* answers = nullptr;  // used within one callback, by all connections

void received(bufferevent* stream, void* argument);
void happened(bufferevent* stream, short what, void* argument);

/// When all is sent, says close_notify in the topmost layer that has not; and so on down, and closes.
void closeLayers(Connection* connection) {
    while (connection->waiting() == 0) {
        if (connection->open == 0) {
            delete connection;
            return;
        }
        if (SSL* tls = connection->layers[--connection->open].tls; tls != nullptr) {
            SSL_set_shutdown(tls, SSL_RECEIVED_SHUTDOWN);
            SSL_shutdown(tls);
        }
    }
}

/// Ends a connection when what waits is sent.
void finish(Connection* connection) {
    bufferevent_disable(connection->top(), EV_READ);
    connection->ending = true;
    closeLayers(connection);
}

/// Called when the lowest layer has sent something, and when something is added to what it is to send.
void changed(evbuffer*, evbuffer_cb_info const* change, void* argument) {
    auto* connection = static_cast<Connection*>(argument);
    if (change->n_deleted == 0) return;
    if (connection->ending) {
        closeLayers(connection);
    } else if (connection->paused && connection->waiting() <= kHighWater / 2) {
        connection->paused = false;
        bufferevent_enable(connection->top(), EV_READ);
    }
}

void happened(bufferevent*, short what, void* argument) {
    auto* connection = static_cast<Connection*>(argument);
    // An end that shows when writing leaves nobody to send to.
    if ((what & (BEV_EVENT_ERROR | BEV_EVENT_WRITING)) != 0) {
        delete connection;
    } else if ((what & BEV_EVENT_EOF) != 0) {
        finish(connection);
    }
}

void received(bufferevent* stream, void* argument) {
    auto* connection = static_cast<Connection*>(argument);
    evbuffer* const input = bufferevent_get_input(stream);
    evbuffer* const output = bufferevent_get_output(stream);
    if (options.lines) {
        std::size_t size = 0;
        while (char* line = evbuffer_readln(input, &size, EVBUFFER_EOL_CRLF_STRICT)) {
            evbuffer_add(answers, line, size);
            evbuffer_add(answers, "\r\n", 2);
            std::free(line);
        }
        evbuffer_add_buffer(output, answers);
        if (evbuffer_get_length(input) > kLongestLine) {
            finish(connection);
            return;
        }
    } else {
        evbuffer_add_buffer(output, input);
    }
    if (connection->waiting() > kHighWater) {
        connection->paused = true;
        bufferevent_disable(stream, EV_READ);
    }
}

void accepted(evconnlistener* listener, evutil_socket_t socket, sockaddr*, int, void*) {
    event_base* const base = evconnlistener_get_base(listener);
    setNoDelay(socket);
    auto* connection = new Connection;  // freed by finish() or happened()
    if (options.layers == 0) {
        connection->layers.push_back({bufferevent_socket_new(base, socket, BEV_OPT_CLOSE_ON_FREE), nullptr});
    }
    for (unsigned i = 0; i < options.layers; ++i) {
        SSL* tls = SSL_new(context);
        bufferevent* stream =
            i == 0 ? bufferevent_openssl_socket_new(base, socket, tls, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
                   : bufferevent_openssl_filter_new(base, connection->top(), tls, BUFFEREVENT_SSL_ACCEPTING,
                                                    BEV_OPT_CLOSE_ON_FREE);
        bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
        connection->layers.push_back({stream, tls});
    }
    connection->open = connection->layers.size();
    for (Layer const& layer : connection->layers) {
        bufferevent_set_max_single_read(layer.stream, kReadSize);
        bufferevent_set_max_single_write(layer.stream, 2 * kReadSize);
    }
    evbuffer_add_cb(bufferevent_get_output(connection->layers.front().stream), changed, connection);
    bufferevent_setcb(connection->top(), received, nullptr, happened, connection);
    bufferevent_enable(connection->top(), EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
    options = serverOptions(argc, argv, kLibeventDeepest);
    prepareProcess();
    if (options.layers > 0) context = makeServerContext(options.certificate);
    answers = evbuffer_new();
    event_config* const configuration = event_config_new();
    event_config_set_flag(configuration, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    event_base* const base = event_base_new_with_config(configuration);
    int const socket = listenOnLoopback(options.port);
    evconnlistener* const listener = evconnlistener_new(base, accepted, nullptr, LEV_OPT_CLOSE_ON_EXEC, 0, socket);
    if (listener == nullptr) fail("evconnlistener_new");
    announce(socket);
    return event_base_dispatch(base);
}
