#include "loop.hpp"

#include "connection.hpp"
#include "failure.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace {

constexpr int kTurnMilliseconds = 20;
constexpr Nanoseconds kChecksApart = 20'000'000;
constexpr double kSecond = 1e9;

epoll_event eventsOf(Connection& connection, bool writable) {
    epoll_event event{};
    event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    return event;
}

}  // namespace

Loop::Loop(double patienceSeconds)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), patience_(static_cast<Nanoseconds>(patienceSeconds * kSecond)) {
    if (epoll_ < 0) failErrno("epoll_create1");
}

Loop::~Loop() { ::close(epoll_); }

void Loop::add(int fd, Connection& connection) {
    auto event = eventsOf(connection, false);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) failErrno("epoll_ctl");
    connections_.insert(&connection);
}

void Loop::change(int fd, Connection& connection, bool writable) {
    auto event = eventsOf(connection, writable);
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) failErrno("epoll_ctl");
}

void Loop::runFor(double seconds) {
    const auto end = monotonicNow() + static_cast<Nanoseconds>(seconds * kSecond);
    runUntil([&] { return monotonicNow() >= end; });
}

void Loop::turn() {
    std::array<epoll_event, 512> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kTurnMilliseconds);
    if (count < 0 && errno != EINTR) failErrno("epoll_wait");
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        static_cast<Connection*>(event.data.ptr)->handle(event.events);
    }
    if (const auto now = monotonicNow(); now >= nextCheck_) {
        nextCheck_ = now + kChecksApart + patience_ / 100;
        for (auto* each : connections_) each->checkPatience(now, patience_);
    }
}
