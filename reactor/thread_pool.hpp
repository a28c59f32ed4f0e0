#pragma once

#include <cstddef>
#include <memory>

#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>

namespace torsion {

/// Threads that run jobs, first come, first served (twisted.python.threadpool.ThreadPool). Grows by a thread when a job
/// finds none idle, up to the maximum (TH-5); idle threads stay until stop() or adjustPoolsize(). Every method may be
/// called from any thread. The threads take no signals: those are the reactor's.
class ThreadPool {
public:
    static constexpr std::size_t kDefaultMaximum = 10;

    /// Makes no thread yet. @throws ValueError unless @p minimum <= @p maximum and @p maximum > 0
    explicit ThreadPool(std::size_t minimum = 0, std::size_t maximum = kDefaultMaximum);
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// As stop().
    ~ThreadPool();

    /// Begins to run jobs, those queued before too. Also after stop(). Harmless if it runs.
    /// @throws std::system_error if the system has no thread to give
    void start();

    /// Runs @p job on a thread of the pool; exceptions are logged. Before start() it waits for that; after stop() it is
    /// dropped silently (TH-6).
    /// @throws ValueError for an empty function
    /// @throws std::system_error if the system has no thread to give and the pool has none
    void callInThread(Function<void()> job);

    /// Ends the pool: what is queued still runs, if it was started at all; then the threads end and are joined, however
    /// long that takes (TH-6). @throws RuntimeError on a thread of the pool, which would wait for itself
    void stop();

    /// The same, but waits no longer than @p patience. Then it drops what is queued, and lets go of the threads that
    /// are still busy: each ends with its job. Only for jobs that refer to nothing but what they own.
    /// @return whether all had ended in time
    bool stop(Duration patience);

    /// Changes the limits; surplus threads end when they are idle. @throws ValueError as the constructor
    void adjustPoolsize(std::size_t minimum, std::size_t maximum);

    /// How many threads there are, and how many jobs wait for one.
    std::size_t threads() const;
    std::size_t queued() const;

private:
    struct State;

    bool end(const Duration* patience);

    std::shared_ptr<State> state_;  // shared with the threads: one that was let go of may outlive the pool
};

}  // namespace torsion
