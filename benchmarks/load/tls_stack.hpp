#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

/// What all TLS connections share: OpenSSL's context, and buffers that serve one connection at a time.
class TlsClient {
public:
    static constexpr int kDeepest = 8;

    /// @param frugal  rather little memory than little work: for many idle connections
    explicit TlsClient(bool frugal);
    TlsClient(const TlsClient&) = delete;
    ~TlsClient();

    /// Keeps the next session ticket that comes.
    void collectTicket();
    bool hasTicket() const { return session_ != nullptr; }
    /// From now on all connections resume the session of the ticket that was kept, and must succeed in that.
    void resumeFromNowOn();

private:
    friend class TlsStack;
    static int newSession(SSL* ssl, SSL_SESSION* session);

    SSL_CTX* context_;
    SSL_SESSION* session_ = nullptr;
    bool resuming_ = false;
    std::string out_[kDeepest];          // what each layer has to send, until the layer under it takes it at once
    std::unique_ptr<char[]> plaintext_;  // one record for each layer
};

/// The client's side of TLS in TLS: layer 0 lies on the socket, the last one bears the octets.
class TlsStack {
public:
    TlsStack(TlsClient& client, int depth);
    ~TlsStack();
    TlsStack(TlsStack&&) noexcept = default;

    /// What has to go to the socket is appended to @p wire, by this and all that follow.
    void start(std::string& wire);
    void write(std::string_view octets, std::string& wire);
    /// Says close_notify on all layers, the innermost first.
    void close(std::string& wire);
    /// Takes what came from the socket, and calls @p sink with each piece of what the innermost layer bears.
    template <typename Sink>
    void receive(std::string_view octets, std::string& wire, Sink&& sink) {
        receiveLayer(
            0, octets, wire, [](void* self, std::string_view piece) { (*static_cast<Sink*>(self))(piece); }, &sink);
    }

    bool established() const { return shaking_ == layers_.size(); }
    /// The layer whose handshake goes on, from 0.
    std::size_t shaking() const { return shaking_; }
    /// Whether the peer has ended the innermost layer as it should.
    bool peerClosed() const { return layers_.back()->peerClosed; }

private:
    struct Layer {
        SSL* ssl = nullptr;
        std::string_view in;
        std::string* out = nullptr;
        bool peerClosed = false;
        ~Layer() { SSL_free(ssl); }
    };
    using SinkFunction = void (*)(void* self, std::string_view piece);

    static BIO_METHOD* method();
    void shake(std::size_t i, std::string& wire);
    void receiveLayer(std::size_t i, std::string_view octets, std::string& wire, SinkFunction sink, void* self);
    void push(std::size_t i, std::string& wire);

    TlsClient* client_;
    std::vector<std::unique_ptr<Layer>> layers_;
    std::size_t shaking_ = 0;
};
