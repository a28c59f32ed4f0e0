#include "tls_stack.hpp"

#include "failure.hpp"

#include <openssl/err.h>

#include <algorithm>

namespace {

constexpr std::size_t kRecord = SSL3_RT_MAX_PLAIN_LENGTH;

[[noreturn]] void failTls(std::size_t layer, const char* what) {
    char text[256] = "no reason given";
    if (const auto code = ERR_peek_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    fail("TLS layer {}: {}: {}", layer + 1, what, text);
}

}  // namespace

TlsClient::TlsClient(bool frugal)
    : context_(SSL_CTX_new(TLS_client_method())), plaintext_(new char[kDeepest * kRecord]) {
    if (context_ == nullptr || SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256") != 1)
        failTls(0, "cannot set up OpenSSL");
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_app_data(context_, this);
    if (frugal) SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
}

TlsClient::~TlsClient() {
    SSL_SESSION_free(session_);
    SSL_CTX_free(context_);
}

int TlsClient::newSession(SSL* ssl, SSL_SESSION* session) {
    auto& self = *static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (self.session_ != nullptr) return 0;
    self.session_ = session;
    return 1;  // it is ours now
}

void TlsClient::collectTicket() {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, &TlsClient::newSession);
}

void TlsClient::resumeFromNowOn() {
    // With a cache OpenSSL would take every ticket for used up after its first use.
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    resuming_ = true;
}

/// A memory BIO over the layer's two buffers, which saves the copies, and the clearing of memory, of OpenSSL's own.
BIO_METHOD* TlsStack::method() {
    static BIO_METHOD* const made = [] {
        auto* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "layer");
        BIO_meth_set_write(fresh, [](BIO* bio, const char* data, int length) {
            static_cast<Layer*>(BIO_get_data(bio))->out->append(data, static_cast<std::size_t>(length));
            return length;
        });
        BIO_meth_set_read(fresh, [](BIO* bio, char* data, int length) {
            auto& in = static_cast<Layer*>(BIO_get_data(bio))->in;
            BIO_clear_retry_flags(bio);
            if (in.empty()) {
                BIO_set_retry_read(bio);
                return -1;
            }
            const auto taken = std::min(in.size(), static_cast<std::size_t>(length));
            std::copy_n(in.data(), taken, data);
            in.remove_prefix(taken);
            return static_cast<int>(taken);
        });
        BIO_meth_set_ctrl(fresh, [](BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1L : 0L; });
        return fresh;
    }();
    return made;
}

TlsStack::TlsStack(TlsClient& client, int depth) : client_(&client) {
    for (int i = 0; i < depth; ++i) {
        auto& layer = *layers_.emplace_back(std::make_unique<Layer>());
        layer.out = &client.out_[i];
        layer.ssl = SSL_new(client.context_);
        auto* bio = BIO_new(method());
        if (layer.ssl == nullptr || bio == nullptr) failTls(static_cast<std::size_t>(i), "out of memory");
        BIO_set_data(bio, &layer);
        BIO_set_init(bio, 1);
        SSL_set_bio(layer.ssl, bio, bio);
        SSL_set_connect_state(layer.ssl);
        if (client.resuming_ && SSL_set_session(layer.ssl, client.session_) != 1)
            failTls(static_cast<std::size_t>(i), "cannot use the session ticket");
    }
}

TlsStack::~TlsStack() = default;

/// Hands what layer @p i has to send to the layer under it, and so on down to the wire.
void TlsStack::push(std::size_t i, std::string& wire) {
    for (;; --i) {
        auto& out = *layers_[i]->out;
        if (out.empty()) return;
        if (i == 0) {
            wire.append(out);
            out.clear();
            return;
        }
        const int written = SSL_write(layers_[i - 1]->ssl, out.data(), static_cast<int>(out.size()));
        if (written != static_cast<int>(out.size())) failTls(i - 1, "cannot write");
        out.clear();
    }
}

void TlsStack::shake(std::size_t i, std::string& wire) {
    ERR_clear_error();
    const int done = SSL_do_handshake(layers_[i]->ssl);
    if (done != 1 && SSL_get_error(layers_[i]->ssl, done) != SSL_ERROR_WANT_READ) failTls(i, "the handshake failed");
    push(i, wire);
    if (done != 1) return;
    if (client_->resuming_ && SSL_session_reused(layers_[i]->ssl) != 1)
        fail("TLS layer {}: the server did not resume the session", i + 1);
    shaking_ = i + 1;
    if (shaking_ < layers_.size()) shake(shaking_, wire);
}

void TlsStack::start(std::string& wire) { shake(0, wire); }

void TlsStack::write(std::string_view octets, std::string& wire) {
    const int written = SSL_write(layers_.back()->ssl, octets.data(), static_cast<int>(octets.size()));
    if (written != static_cast<int>(octets.size())) failTls(layers_.size() - 1, "cannot write");
    push(layers_.size() - 1, wire);
}

void TlsStack::close(std::string& wire) {
    for (auto i = layers_.size(); i-- > 0;) {
        if (SSL_shutdown(layers_[i]->ssl) < 0) failTls(i, "cannot say close_notify");
        push(i, wire);
    }
}

void TlsStack::receiveLayer(std::size_t i, std::string_view octets, std::string& wire, SinkFunction sink, void* self) {
    auto& layer = *layers_[i];
    layer.in = octets;
    if (shaking_ <= i) shake(i, wire);
    if (shaking_ <= i) return;
    auto* const plaintext = client_->plaintext_.get() + i * kRecord;
    ERR_clear_error();
    while (true) {
        const int count = SSL_read(layer.ssl, plaintext, static_cast<int>(kRecord));
        if (count > 0) {
            const std::string_view piece(plaintext, static_cast<std::size_t>(count));
            if (i + 1 == layers_.size())
                sink(self, piece);
            else if (!layers_[i + 1]->peerClosed)
                receiveLayer(i + 1, piece, wire, sink, self);
            continue;
        }
        const int error = SSL_get_error(layer.ssl, count);
        if (error == SSL_ERROR_ZERO_RETURN) layer.peerClosed = true;
        if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_WANT_READ) failTls(i, "cannot read");
        layer.in = {};
        return;
    }
}
