#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace torsion {

/// Where threads of a test wait for one another.
class Gate {
public:
    /// Waits until open() has been called.
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

    /// Says that one more is here, or has gone.
    void arrive() { count(arrived_); }
    void leave() { count(left_); }
    void waitForArrivals(std::size_t n) { waitFor(arrived_, n); }
    void waitForLeavers(std::size_t n) { waitFor(left_, n); }

private:
    void count(std::size_t& counter) {
        const std::lock_guard lock(mutex_);
        ++counter;
        changed_.notify_all();
    }
    void waitFor(const std::size_t& counter, std::size_t n) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return counter >= n; });
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    std::size_t arrived_ = 0;
    std::size_t left_ = 0;
};

}  // namespace torsion
