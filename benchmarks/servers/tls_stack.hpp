#pragma once

/// TLS by hand, any number of layers deep, over memory BIOs: the ciphertext of each layer is the plaintext of the one
/// below. It does no input or output of its own.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <vector>

/// The server's end of some layers of TLS. The lowest talks to the network, the topmost to the application.
class TlsStack {
public:
    /// @param context of every layer; @param depth how many layers, at least 1
    TlsStack(SSL_CTX* context, unsigned depth) {
        layers_.reserve(depth);
        for (unsigned i = 0; i < depth; ++i) {
            SSL* layer = SSL_new(context);
            SSL_set_bio(layer, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
            BIO_set_mem_eof_return(SSL_get_rbio(layer), -1);
            SSL_set_accept_state(layer);
            layers_.push_back(layer);
        }
    }

    TlsStack(TlsStack const&) = delete;
    TlsStack& operator=(TlsStack const&) = delete;

    ~TlsStack() {
        for (SSL* layer : layers_) SSL_free(layer);
    }

    /// Takes what came from the network, and brings it up to the topmost layer.
    void receive(char const* ciphertext, std::size_t size) {
        give(SSL_get_rbio(layers_.front()), ciphertext, size);
        for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
            while (std::size_t const count = read(layers_[i], scratch().data(), scratch().size())) {
                give(SSL_get_rbio(layers_[i + 1]), scratch().data(), count);
            }
        }
    }

    /// Fills the buffer with the application's octets, of as many records as fit.
    /// @returns how many octets there were; 0 when more must come from the network first
    std::size_t read(char* plaintext, std::size_t size) {
        std::size_t filled = 0;
        while (filled < size) {
            std::size_t const count = read(layers_.back(), plaintext + filled, size - filled);
            if (count == 0) break;
            filled += count;
        }
        return filled;
    }

    /// Sends octets of the application, in as few records as they fit in.
    void write(char const* plaintext, std::size_t size) { write(layers_.back(), plaintext, size); }

    /// Moves all output down to the lowest layer, and takes what fits into the buffer away for the network.
    /// @returns how many octets; 0 when all has been taken
    std::size_t takeOutput(char* ciphertext, std::size_t size) {
        for (std::size_t i = layers_.size(); --i > 0;) moveDown(i);
        return take(SSL_get_wbio(layers_.front()), ciphertext, size);
    }

    /// Says close_notify in every layer, the topmost first.
    void close() {
        for (std::size_t i = layers_.size(); i-- > 0;) {
            SSL_shutdown(layers_[i]);
            ERR_clear_error();
            if (i > 0) moveDown(i);
        }
    }

    /// Whether the client said close_notify in some layer: nothing more can come.
    bool ended() const { return ended_; }

    /// Whether what came was no TLS; there may be an alert to send.
    bool failed() const { return failed_; }

private:
    /// One record: SSL_read never gives more at a time, and SSL_write makes a whole one of it.
    static std::array<char, 16 * 1024>& scratch() {
        static std::array<char, 16 * 1024> buffer;
        return buffer;
    }

    static void give(BIO* bio, char const* data, std::size_t size) { BIO_write(bio, data, static_cast<int>(size)); }

    static std::size_t take(BIO* bio, char* data, std::size_t size) {
        if (BIO_pending(bio) == 0) return 0;
        int const count = BIO_read(bio, data, static_cast<int>(size));
        return count > 0 ? static_cast<std::size_t>(count) : 0;
    }

    /// What a layer puts out is written by the layer below.
    void moveDown(std::size_t i) {
        while (std::size_t const count = take(SSL_get_wbio(layers_[i]), scratch().data(), scratch().size())) {
            write(layers_[i - 1], scratch().data(), count);
        }
    }

    /// SSL_read, which also shakes hands; notes why there is no more.
    std::size_t read(SSL* layer, char* plaintext, std::size_t size) {
        if (failed_) return 0;
        int const count = SSL_read(layer, plaintext, static_cast<int>(size));
        if (count > 0) return static_cast<std::size_t>(count);
        switch (SSL_get_error(layer, count)) {
            case SSL_ERROR_WANT_READ: break;
            case SSL_ERROR_ZERO_RETURN: ended_ = true; break;
            default: failed_ = true; ERR_clear_error();
        }
        return 0;
    }

    /// SSL_write of all: a memory BIO takes everything, so that it can only fail for good.
    void write(SSL* layer, char const* plaintext, std::size_t size) {
        while (size > 0 && !failed_) {
            int const count = SSL_write(layer, plaintext, static_cast<int>(size));
            if (count <= 0) {
                failed_ = true;
                ERR_clear_error();
                return;
            }
            plaintext += count;
            size -= static_cast<std::size_t>(count);
        }
    }

    std::vector<SSL*> layers_;
    bool ended_ = false;
    bool failed_ = false;
};
