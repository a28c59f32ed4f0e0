#pragma once

// The functions through which a FaultPlan changes system calls. To be included by exactly one source of a test program,
// never by a library: it defines recv, sendmsg and the others, and so stands before the C library for the whole program
// and for the shared libraries that it uses. Without an installed plan each passes on to the C library's own.

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

#include <torsion/testing/fault_plan.hpp>

namespace torsion::testing::detail {

[[maybe_unused]] const bool faultCallsLinked = FaultPlan::linked();

/// The function that this one stands before.
template <class F>
F realCall(const char* name) noexcept {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

inline FaultPlan::Verdict judgeCall(Call call, int descriptor, std::size_t octets) {
    FaultPlan* const plan = FaultPlan::current();
    return plan != nullptr ? plan->judge(call, descriptor, octets) : FaultPlan::Verdict();
}

/// Lets @p pass(most octets) through, or reports what the plan says.
template <class F>
auto judged(Call call, int descriptor, std::size_t octets, F pass) -> decltype(pass(octets)) {
    const FaultPlan::Verdict verdict = judgeCall(call, descriptor, octets);
    if (verdict.kind == FaultPlan::Verdict::Kind::fail) {
        errno = verdict.error;
        return -1;
    }
    if (verdict.kind == FaultPlan::Verdict::Kind::end) return 0;
    return pass(std::min(octets, verdict.most));
}

inline std::size_t octetsOf(const iovec* parts, std::size_t count) noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += parts[i].iov_len;
    return sum;
}

/// The first @p most octets of @p parts.
inline std::vector<iovec> firstOctets(const iovec* parts, std::size_t count, std::size_t most) {
    std::vector<iovec> cut;
    for (std::size_t i = 0; i < count && most != 0; ++i) {
        cut.push_back({parts[i].iov_base, std::min(parts[i].iov_len, most)});
        most -= cut.back().iov_len;
    }
    return cut;
}

}  // namespace torsion::testing::detail

// NOLINTBEGIN: the names and types are the C library's.
extern "C" {

#define TORSION_REAL_CALL(NAME) static const auto real = torsion::testing::detail::realCall<decltype(&::NAME)>(#NAME)

int socket(int domain, int type, int protocol) noexcept {
    TORSION_REAL_CALL(socket);
    return torsion::testing::detail::judged(torsion::testing::Call::socket, -1, 0,
                                            [&](std::size_t) { return real(domain, type, protocol); });
}

int bind(int descriptor, const sockaddr* address, socklen_t length) noexcept {
    TORSION_REAL_CALL(bind);
    return torsion::testing::detail::judged(torsion::testing::Call::bind, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, address, length); });
}

int listen(int descriptor, int backlog) noexcept {
    TORSION_REAL_CALL(listen);
    return torsion::testing::detail::judged(torsion::testing::Call::listen, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, backlog); });
}

int connect(int descriptor, const sockaddr* address, socklen_t length) {
    TORSION_REAL_CALL(connect);
    return torsion::testing::detail::judged(torsion::testing::Call::connect, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, address, length); });
}

int accept(int descriptor, sockaddr* address, socklen_t* length) {
    TORSION_REAL_CALL(accept);
    return torsion::testing::detail::judged(torsion::testing::Call::accept, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, address, length); });
}

int accept4(int descriptor, sockaddr* address, socklen_t* length, int flags) {
    TORSION_REAL_CALL(accept4);
    return torsion::testing::detail::judged(torsion::testing::Call::accept, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, address, length, flags); });
}

int shutdown(int descriptor, int how) noexcept {
    TORSION_REAL_CALL(shutdown);
    return torsion::testing::detail::judged(torsion::testing::Call::shutdown, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, how); });
}

int getsockopt(int descriptor, int level, int option, void* value, socklen_t* length) noexcept {
    TORSION_REAL_CALL(getsockopt);
    return torsion::testing::detail::judged(torsion::testing::Call::getsockopt, descriptor, 0, [&](std::size_t) {
        return real(descriptor, level, option, value, length);
    });
}

int setsockopt(int descriptor, int level, int option, const void* value, socklen_t length) noexcept {
    TORSION_REAL_CALL(setsockopt);
    return torsion::testing::detail::judged(torsion::testing::Call::setsockopt, descriptor, 0, [&](std::size_t) {
        return real(descriptor, level, option, value, length);
    });
}

int epoll_wait(int descriptor, epoll_event* events, int most, int timeout) {
    TORSION_REAL_CALL(epoll_wait);
    return torsion::testing::detail::judged(torsion::testing::Call::epollWait, descriptor, 0,
                                            [&](std::size_t) { return real(descriptor, events, most, timeout); });
}

ssize_t recv(int descriptor, void* buffer, std::size_t size, int flags) {
    TORSION_REAL_CALL(recv);
    return torsion::testing::detail::judged(torsion::testing::Call::recv, descriptor, size,
                                            [&](std::size_t most) { return real(descriptor, buffer, most, flags); });
}

ssize_t read(int descriptor, void* buffer, std::size_t size) {
    TORSION_REAL_CALL(read);
    return torsion::testing::detail::judged(torsion::testing::Call::read, descriptor, size,
                                            [&](std::size_t most) { return real(descriptor, buffer, most); });
}

ssize_t send(int descriptor, const void* buffer, std::size_t size, int flags) {
    TORSION_REAL_CALL(send);
    return torsion::testing::detail::judged(torsion::testing::Call::send, descriptor, size,
                                            [&](std::size_t most) { return real(descriptor, buffer, most, flags); });
}

ssize_t write(int descriptor, const void* buffer, std::size_t size) {
    TORSION_REAL_CALL(write);
    return torsion::testing::detail::judged(torsion::testing::Call::write, descriptor, size,
                                            [&](std::size_t most) { return real(descriptor, buffer, most); });
}

ssize_t readv(int descriptor, const iovec* parts, int count) {
    TORSION_REAL_CALL(readv);
    using namespace torsion::testing;
    const std::size_t octets = detail::octetsOf(parts, static_cast<std::size_t>(count));
    return detail::judged(Call::readv, descriptor, octets, [&](std::size_t most) {
        if (most == octets) return real(descriptor, parts, count);
        const auto cut = detail::firstOctets(parts, static_cast<std::size_t>(count), most);
        return real(descriptor, cut.data(), static_cast<int>(cut.size()));
    });
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
    TORSION_REAL_CALL(writev);
    using namespace torsion::testing;
    const std::size_t octets = detail::octetsOf(parts, static_cast<std::size_t>(count));
    return detail::judged(Call::writev, descriptor, octets, [&](std::size_t most) {
        if (most == octets) return real(descriptor, parts, count);
        const auto cut = detail::firstOctets(parts, static_cast<std::size_t>(count), most);
        return real(descriptor, cut.data(), static_cast<int>(cut.size()));
    });
}

ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
    TORSION_REAL_CALL(recvmsg);
    using namespace torsion::testing;
    const std::size_t octets = detail::octetsOf(message->msg_iov, message->msg_iovlen);
    return detail::judged(Call::recvmsg, descriptor, octets, [&](std::size_t most) {
        if (most == octets) return real(descriptor, message, flags);
        auto cut = detail::firstOctets(message->msg_iov, message->msg_iovlen, most);
        msghdr shorter = *message;
        shorter.msg_iov = cut.data();
        shorter.msg_iovlen = cut.size();
        const ssize_t got = real(descriptor, &shorter, flags);
        message->msg_namelen = shorter.msg_namelen;
        message->msg_controllen = shorter.msg_controllen;
        message->msg_flags = shorter.msg_flags;
        return got;
    });
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
    TORSION_REAL_CALL(sendmsg);
    using namespace torsion::testing;
    const std::size_t octets = detail::octetsOf(message->msg_iov, message->msg_iovlen);
    return detail::judged(Call::sendmsg, descriptor, octets, [&](std::size_t most) {
        if (most == octets) return real(descriptor, message, flags);
        auto cut = detail::firstOctets(message->msg_iov, message->msg_iovlen, most);
        msghdr shorter = *message;
        shorter.msg_iov = cut.data();
        shorter.msg_iovlen = cut.size();
        return real(descriptor, &shorter, flags);
    });
}

#undef TORSION_REAL_CALL

}  // extern "C"
// NOLINTEND
