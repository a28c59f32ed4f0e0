#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include <torsion/core/bytes.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/tls/session.hpp>

namespace torsion::ssl {

/// TLS without I/O: ciphertext in, plaintext out, and back. The ciphertext that it makes goes to an Output at once.
///
/// Octets are read where the caller has them: feed() lends a view, which must live until the next feed() or release().
/// The rest of it, unread(), is what the engine has no use for: after a close_notify, what stood behind it.
class Engine {
public:
    enum class Outcome {
        ok,          ///< done as asked
        wantsInput,  ///< nothing more can be done until the next feed()
        closed,      ///< the peer's close_notify has come
        failed,      ///< see failure(); the engine is of no more use
    };

    /// Where ciphertext goes. Must not call the engine from inside.
    class Output {
    public:
        virtual void ciphertext(BytesView data) = 0;

    protected:
        ~Output() = default;
    };

    Engine(std::unique_ptr<Session> session, Output& output);
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    const Session& session() const noexcept { return *session_; }

    /// Lends the next ciphertext.
    void feed(BytesView input) noexcept { input_ = input; }
    BytesView unread() const noexcept { return input_; }
    void release() noexcept { input_ = {}; }

    /// Goes on with the handshake, from its start: ok when it is done.
    Outcome handshake();

    /// Decrypts one record, or what fits of it, into @p room. @param got set if ok
    Outcome read(std::span<char> room, std::size_t& got);

    /// Encrypts all of @p data, in records of up to kRecordSize: ok or failed. Only after the handshake, and not
    /// midMessage().
    Outcome write(BytesView data);

    /// Whether the peer has sent a message of TLS itself (a ticket, a key update) in part only. Until the rest has been
    /// fed and read, OpenSSL neither writes nor shuts down.
    bool midMessage() const noexcept;

    /// The most plaintext that fits in one record (RFC 8446, 5.1).
    static constexpr std::size_t kRecordSize = 16384;

    /// Makes our close_notify: ok or failed. Reading goes on. Not midMessage().
    Outcome shutdown();

    /// Whether a call to OpenSSL is on the stack: then the Output has been called from it.
    bool busy() const noexcept { return busy_; }

    /// What went wrong.
    const Failure& failure() const noexcept { return *failure_; }

private:
    struct Bridge;  // OpenSSL's way to our input and output

    template <class Call>
    int call(Call&& function);
    Outcome outcome(int result);
    Outcome atOnce(int result);

    std::unique_ptr<Session> session_;
    Output& output_;
    BytesView input_;
    std::optional<Failure> failure_;
    bool busy_ = false;
};

}  // namespace torsion::ssl
