#pragma once

/// Calls for a loop's thread, for the libraries that can wake a loop but leave the queue to the program.

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace peers {

constexpr std::size_t kCalls = 1000000;

/// Any thread puts calls in, one thread runs them.
class CallQueue {
public:
    /// @returns whether the loop must be woken: the queue was empty
    bool put(std::function<void()> call) {
        const std::lock_guard lock(mutex_);
        calls_.push_back(std::move(call));
        return calls_.size() == 1;
    }

    /// Runs all that are in it.
    void run() {
        {
            const std::lock_guard lock(mutex_);
            running_.swap(calls_);
        }
        for (const auto& call : running_) call();
        running_.clear();
    }

private:
    std::mutex mutex_;
    std::vector<std::function<void()>> calls_;
    std::vector<std::function<void()>> running_;
};

}  // namespace peers
