#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace torsion {

/// Ends the program if it is not destroyed in time: for what would wait for ever if it went wrong.
class Watchdog {
public:
    explicit Watchdog(std::string what) : what_(std::move(what)), thread_([this] { watch(); }) {}
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    ~Watchdog() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
            changed_.notify_all();
        }
        thread_.join();
    }

private:
    static constexpr std::chrono::seconds kPatience{60};

    void watch() {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, kPatience, [this] { return over_; })) return;
        std::fprintf(stderr, "Waited in vain for %s\n", what_.c_str());
        std::abort();
    }

    const std::string what_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace torsion
