#include <torsion/tls/engine.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// A BIO that reads the view lent to the engine in place, and hands on what OpenSSL writes: no buffer of its own.
struct Engine::Bridge {
    static Engine& engine(BIO* bio) { return *static_cast<Engine*>(BIO_get_data(bio)); }

    static int read(BIO* bio, char* room, int size) {
        BIO_clear_retry_flags(bio);
        BytesView& input = engine(bio).input_;
        if (input.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t count = std::min(input.size(), static_cast<std::size_t>(size));
        std::memcpy(room, input.data(), count);
        input.remove_prefix(count);
        return static_cast<int>(count);
    }

    static int write(BIO* bio, const char* data, int size) {
        BIO_clear_retry_flags(bio);
        engine(bio).output_.ciphertext(BytesView(data, static_cast<std::size_t>(size)));
        return size;
    }

    static long control(BIO* bio, int command, long, void*) {
        switch (command) {
            case BIO_CTRL_FLUSH: return 1;
            case BIO_CTRL_PENDING: return static_cast<long>(engine(bio).input_.size());
            // The end of the transport is told to the layer, not to OpenSSL; left unanswered, OpenSSL takes it for an
            // error.
            case BIO_CTRL_EOF:
            default: return 0;
        }
    }

    static int create(BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
    }

    static const BIO_METHOD* method() {
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "torsion engine");
            BIO_meth_set_read(m, &Bridge::read);
            BIO_meth_set_write(m, &Bridge::write);
            BIO_meth_set_ctrl(m, &Bridge::control);
            BIO_meth_set_create(m, &Bridge::create);
            return m;
        }();
        return made;
    }
};

Engine::Engine(std::unique_ptr<Session> session, Output& output) : session_(std::move(session)), output_(output) {
    BIO* bio = BIO_new(Bridge::method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    SSL_set_bio(session_->native(), bio, bio);
}

Engine::~Engine() = default;

template <class Call>
int Engine::call(Call&& function) {
    struct Busy {
        explicit Busy(bool& flag) noexcept : flag_(flag) { flag_ = true; }
        ~Busy() { flag_ = false; }
        bool& flag_;
    } busy(busy_);
    return callOpenSSL(std::forward<Call>(function));
}

Engine::Outcome Engine::outcome(int result) {
    switch (SSL_get_error(session_->native(), result)) {
        case SSL_ERROR_NONE: return Outcome::ok;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return Outcome::wantsInput;
        case SSL_ERROR_ZERO_RETURN: return Outcome::closed;
        default: failure_ = failureFromQueue(session_->native()); return Outcome::failed;
    }
}

/// For what has nothing to wait for: whatever is not done is a failure, and has one to tell.
Engine::Outcome Engine::atOnce(int result) {
    if (outcome(result) != Outcome::failed) {
        failure_ = RuntimeError("TLS cannot be written: the peer is in the middle of a message, or has closed");
    }
    return Outcome::failed;
}

Engine::Outcome Engine::handshake() {
    // The client begins, and each step of a server is an answer.
    if (input_.empty() && session_->role() == Role::server) return Outcome::wantsInput;
    const int result = call([&] { return SSL_do_handshake(session_->native()); });
    return result == 1 ? Outcome::ok : outcome(result);
}

Engine::Outcome Engine::read(std::span<char> room, std::size_t& got) {
    SSL* const native = session_->native();
    // Asking OpenSSL for what cannot be there costs as much as a small record.
    if (input_.empty() && SSL_has_pending(native) == 0) return Outcome::wantsInput;
    const int result = call([&] { return SSL_read_ex(native, room.data(), room.size(), &got); });
    return result == 1 ? Outcome::ok : outcome(result);
}

Engine::Outcome Engine::write(BytesView data) {
    SSL* const native = session_->native();
    while (!data.empty()) {
        std::size_t written = 0;
        const int result = call([&] { return SSL_write_ex(native, data.data(), data.size(), &written); });
        if (result != 1) return atOnce(result);
        data.remove_prefix(written);
    }
    return Outcome::ok;
}

Engine::Outcome Engine::shutdown() {
    const int result = call([&] { return SSL_shutdown(session_->native()); });
    return result >= 0 ? Outcome::ok : atOnce(result);
}

bool Engine::midMessage() const noexcept { return SSL_in_init(session_->native()) != 0; }

}  // namespace torsion::ssl
