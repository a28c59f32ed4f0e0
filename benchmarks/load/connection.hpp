#pragma once

#include "measure.hpp"
#include "options.hpp"
#include "pattern.hpp"
#include "tls_stack.hpp"

#include <cstdint>
#include <optional>
#include <string>

class Connection;
class Loop;

/// Told what happens to its connections.
struct Case {
    virtual ~Case() = default;
    /// More has come back.
    virtual void progressed(Connection& connection) = 0;
    /// The server has ended the connection as it should, after finish().
    virtual void ended(Connection&) {}
};

/// What all connections share.
struct LoadContext {
    LoadContext(const LoadOptions& parsed, Loop& turning);

    const LoadOptions& options;
    Loop& loop;
    Pattern pattern;
    TlsClient tls;
    std::string wire;  // ciphertext on its way to a socket
    std::uint64_t echoed = 0;
};

/// One connection: it sends octets of the pattern, compares what comes back with them, and fails the program at the
/// first difference.
class Connection {
public:
    /// @param number  in messages, and what decides where in the pattern it begins
    Connection(LoadContext& context, Case& owner, std::size_t number);
    Connection(const Connection&) = delete;
    ~Connection();

    /// Connects. It may be opened again after it has ended; each time it begins elsewhere in the pattern.
    void open();
    /// Writes @p messages messages of the given size, or as soon as the handshakes are done.
    void send(std::size_t messages);
    /// Ends the conversation; Case::ended() follows.
    void finish();
    /// The socket can be read, written or both. For Loop.
    void handle(std::uint32_t events);
    /// Fails if this has waited too long for anything. For Loop.
    void checkPatience(Nanoseconds now, Nanoseconds patience) const;

    std::uint64_t sent() const { return target_; }    ///< octets since open()
    std::uint64_t echoed() const { return echoed_; }  ///< octets of them that have come back
    std::size_t number() const { return number_; }
    Nanoseconds opened() const { return opened_; }
    bool isOpen() const { return fd_ >= 0; }

private:
    const char* patternAt(std::uint64_t octet) const { return context_.pattern.at(start_ + octet); }
    void flush();
    void flushPlain();
    void flushWire();
    void watch(bool writable);
    void read();
    void check(std::string_view piece);
    void ended();
    /// Fails with the meaning of errno.
    [[noreturn]] void lost() const;
    std::string name() const;
    std::string awaited() const;

    LoadContext& context_;
    Case& case_;
    std::size_t number_;
    int fd_ = -1;
    bool finishing_ = false;
    bool watchingWritable_ = false;
    std::optional<TlsStack> tls_;
    std::uint64_t start_ = 0;    // in the pattern
    std::uint64_t target_ = 0;   // what has been asked to be written
    std::uint64_t written_ = 0;  // what TLS (or, without it, the socket) has taken of that
    std::uint64_t echoed_ = 0;
    std::string unsent_;  // ciphertext that the socket has not taken yet
    Nanoseconds opened_ = 0;
    Nanoseconds progress_ = 0;  // when something last came, or was asked for
};
