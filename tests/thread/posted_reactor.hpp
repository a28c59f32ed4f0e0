#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

#include <torsion/testing/memory_reactor.hpp>

namespace torsion::test {

/// A MemoryReactor whose test can wait for what other threads post.
class PostedReactor : public testing::MemoryReactor {
public:
    /// What a thread posts may be what the test waits for to end us: not before that thread has let go.
    ~PostedReactor() override { const std::lock_guard lock(mutex_); }

    void callFromThread(Function<void()> function) override {
        const std::lock_guard lock(mutex_);
        MemoryReactor::callFromThread(std::move(function));
        ++posted_;
        came_.notify_one();
    }

    /// Passes turns until @p done, or nothing has come for ten seconds.
    template <class Done>
    bool runPostedUntil(Done done) {
        for (;;) {
            std::size_t seen = posted();
            while (passTurn()) {
            }
            if (done()) return true;
            std::unique_lock lock(mutex_);
            if (!came_.wait_for(lock, std::chrono::seconds(10), [&] { return posted_ != seen; })) return false;
        }
    }

    /// How many calls have come.
    std::size_t posted() {
        const std::lock_guard lock(mutex_);
        return posted_;
    }

private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::size_t posted_ = 0;
};

}  // namespace torsion::test
