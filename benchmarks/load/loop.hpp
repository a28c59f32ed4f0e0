#pragma once

#include "measure.hpp"

#include <cstdint>
#include <unordered_set>

class Connection;

/// An epoll loop, and the patience with what is in it.
class Loop {
public:
    explicit Loop(double patienceSeconds);
    Loop(const Loop&) = delete;
    ~Loop();

    void add(int fd, Connection& connection);
    void change(int fd, Connection& connection, bool writable);
    /// The socket itself is closed by the connection.
    void remove(Connection& connection) { connections_.erase(&connection); }

    /// Turns until @p finished says so; it is asked after each turn, of 20 ms at most.
    template <typename Finished>
    void runUntil(Finished&& finished) {
        while (!finished()) turn();
    }
    void runFor(double seconds);

private:
    void turn();

    int epoll_;
    Nanoseconds patience_;
    Nanoseconds nextCheck_ = 0;
    std::unordered_set<Connection*> connections_;
};
