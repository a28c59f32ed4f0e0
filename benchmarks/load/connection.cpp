#include "connection.hpp"

#include "failure.hpp"
#include "loop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace {

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl((127u << 24) + host);
    address.sin_port = htons(port);
    return address;
}

/// Each connection comes from the next of 250 addresses: one alone would soon have no port left that is not in
/// TIME_WAIT.
void bindNextAddress(int fd) {
    static std::uint32_t last = 0;
    constexpr std::uint32_t kAddresses = 250;
    const auto source = loopback(1 + last++ % kAddresses, 0);
    const int one = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0)
        failErrno("cannot bind to a loopback address");
}

char* readBuffer() {
    static const auto buffer = std::make_unique<char[]>(Pattern::kChunk);
    return buffer.get();
}

bool wouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS; }

}  // namespace

LoadContext::LoadContext(const LoadOptions& parsed, Loop& turning)
    : options(parsed), loop(turning), pattern(parsed.lines() ? parsed.size : 0), tls(parsed.caseName == "idle") {}

Connection::Connection(LoadContext& context, Case& owner, std::size_t number)
    : context_(context), case_(owner), number_(number), start_(number * context.options.size) {}

Connection::~Connection() {
    if (fd_ < 0) return;
    context_.loop.remove(*this);
    ::close(fd_);
}

std::string Connection::name() const { return fmt::format("connection {}", number_); }

void Connection::lost() const {
    if (errno == ECONNREFUSED) failErrno(fmt::format("cannot connect to 127.0.0.1:{}", context_.options.port));
    failErrno(fmt::format("{} was lost after {} of {} octets", name(), echoed_, target_));
}

void Connection::open() {
    start_ += target_;
    target_ = written_ = echoed_ = 0;
    finishing_ = watchingWritable_ = false;
    opened_ = progress_ = monotonicNow();
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) failErrno(name() + " gets no socket");
    bindNextAddress(fd_);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const auto server = loopback(1, context_.options.port);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0 && !wouldBlock()) lost();
    context_.loop.add(fd_, *this);
    if (context_.options.tls > 0) {
        tls_.emplace(context_.tls, context_.options.tls);
        tls_->start(context_.wire);
        flushWire();
    }
}

void Connection::send(std::size_t messages) {
    if (target_ == echoed_) progress_ = monotonicNow();
    target_ += messages * context_.options.size;
    flush();
}

void Connection::finish() {
    finishing_ = true;
    progress_ = monotonicNow();
    if (tls_) {
        tls_->close(context_.wire);
        flushWire();
    } else if (::shutdown(fd_, SHUT_WR) != 0) {
        failErrno(name() + ": shutdown");
    }
}

void Connection::flush() {
    if (!tls_) return flushPlain();
    if (!tls_->established()) return flushWire();
    while (written_ < target_) {
        const auto piece =
            std::min<std::uint64_t>(target_ - written_, std::min(context_.options.write, Pattern::kChunk));
        tls_->write({patternAt(written_), static_cast<std::size_t>(piece)}, context_.wire);
        written_ += piece;
    }
    flushWire();
}

void Connection::flushPlain() {
    while (written_ < target_) {
        const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(target_ - written_, Pattern::kChunk));
        const auto count = ::send(fd_, patternAt(written_), piece, MSG_NOSIGNAL);
        if (count < 0 && !wouldBlock()) lost();
        if (count > 0) written_ += static_cast<std::uint64_t>(count);
        if (count != static_cast<ssize_t>(piece)) return watch(true);
    }
    watch(false);
}

void Connection::flushWire() {
    auto& fresh = context_.wire;
    if (!unsent_.empty()) {
        unsent_ += fresh;
        fresh.clear();
    }
    const auto& waiting = unsent_.empty() ? fresh : unsent_;
    std::size_t sent = 0;
    if (!waiting.empty()) {
        const auto count = ::send(fd_, waiting.data(), waiting.size(), MSG_NOSIGNAL);
        if (count < 0 && !wouldBlock()) lost();
        sent = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    if (unsent_.empty())
        unsent_.assign(fresh, sent, std::string::npos);
    else
        unsent_.erase(0, sent);
    fresh.clear();
    watch(!unsent_.empty());
}

void Connection::watch(bool writable) {
    if (watchingWritable_ == writable) return;
    watchingWritable_ = writable;
    context_.loop.change(fd_, *this, writable);
}

void Connection::handle(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void Connection::read() {
    const auto count = ::recv(fd_, readBuffer(), Pattern::kChunk, 0);
    if (count < 0 && wouldBlock()) return;
    if (count < 0) lost();
    if (count == 0) return ended();
    progress_ = monotonicNow();
    const std::string_view octets(readBuffer(), static_cast<std::size_t>(count));
    const auto before = echoed_;
    if (tls_) {
        const bool wasEstablished = tls_->established();
        tls_->receive(octets, context_.wire, [this](std::string_view piece) { check(piece); });
        if (!wasEstablished && tls_->established()) flush();
        if (!context_.wire.empty()) flushWire();
    } else {
        check(octets);
    }
    if (echoed_ != before) case_.progressed(*this);
}

void Connection::check(std::string_view piece) {
    const auto size = piece.size();
    if (echoed_ + size > target_) fail("{}: {} octets came back, {} were sent", name(), echoed_ + size, target_);
    const auto* expected = patternAt(echoed_);
    if (std::memcmp(expected, piece.data(), size) != 0) {
        const auto at =
            static_cast<std::size_t>(std::mismatch(piece.begin(), piece.end(), expected).first - piece.begin());
        fail("{}: octet {} came back as {:#04x}, it was sent as {:#04x}", name(), echoed_ + at,
             static_cast<unsigned char>(piece[at]), static_cast<unsigned char>(expected[at]));
    }
    echoed_ += size;
    context_.echoed += size;
}

void Connection::ended() {
    if (!finishing_) fail("the server ended {} after {} of {} octets", name(), echoed_, target_);
    if (tls_ && !tls_->peerClosed()) fail("the server ended {} without close_notify", name());
    context_.loop.remove(*this);
    ::close(fd_);
    fd_ = -1;
    tls_.reset();
    unsent_.clear();
    case_.ended(*this);
}

std::string Connection::awaited() const {
    if (finishing_) return tls_ ? "its close_notify and its end" : "the server to end it";
    if (tls_ && !tls_->established()) return fmt::format("the handshake of TLS layer {}", tls_->shaking() + 1);
    if (echoed_ < target_) return fmt::format("the echo of octets {} to {}", echoed_, target_);
    return {};
}

void Connection::checkPatience(Nanoseconds now, Nanoseconds patience) const {
    if (now - progress_ <= patience) return;
    const auto what = awaited();
    if (what.empty()) return;
    fail("{} has waited {} s for {}", name(), context_.options.patience, what);
}
