#include <torsion/reactor/thread_pool.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/signals_blocked.hpp>

namespace torsion {

namespace {

using Threads = std::vector<std::thread>;
using Jobs = std::deque<Function<void()>>;

using detail::SignalsBlocked;

void checkLimits(std::size_t minimum, std::size_t maximum) {
    if (maximum == 0 || minimum > maximum) throw ValueError("a thread pool needs minimum <= maximum and maximum > 0");
}

/// Not to be called with the mutex, which the ending thread wants once more.
void joinAll(Threads threads) {
    for (std::thread& thread : threads) thread.join();
}

void runJob(Function<void()>& job) {
    try {
        job();
    } catch (...) {
        log::err(Failure::current(), "in a thread of the pool");
    }
}

}  // namespace

/// Everything here but run() wants the mutex held.
struct ThreadPool::State : std::enable_shared_from_this<ThreadPool::State> {
    enum class Phase { waiting, running, stopped };

    mutable std::mutex mutex;
    std::condition_variable changed;      // for the threads: there is a job, or the end
    std::condition_variable threadEnded;  // for stop()
    Jobs jobs;
    Threads all;                         // those to be joined one day
    std::vector<std::thread::id> ended;  // those of them that have nothing more to do
    std::size_t live = 0;
    std::size_t idle = 0;  // of the live ones, those without a job, from their birth on
    std::size_t minimum = 0;
    std::size_t maximum = 0;
    std::uint64_t generation = 0;  // a thread of an older one was let go of
    Phase phase = Phase::waiting;

    void spawn() {
        const SignalsBlocked blocked;
        all.emplace_back([self = shared_from_this(), born = generation] { self->run(born); });
        ++live;
        ++idle;
    }

    /// @throws std::system_error if there is no thread at all
    void grow() {
        if (phase != Phase::running) return;
        while (live < minimum || (live < maximum && idle < jobs.size())) {
            try {
                spawn();
            } catch (const std::system_error&) {
                if (live == 0) throw;
                return;  // those that there are will do it
            }
        }
    }

    Threads takeEnded() {
        Threads taken;
        for (const std::thread::id id : std::exchange(ended, {})) {
            const auto found =
                std::find_if(all.begin(), all.end(), [id](auto& thread) { return thread.get_id() == id; });
            taken.push_back(std::move(*found));
            all.erase(found);
        }
        return taken;
    }

    /// Lets go of the threads that still run.
    void abandon() {
        ++generation;
        live = 0;
        idle = 0;
        for (std::thread& thread : std::exchange(all, {})) thread.detach();
    }

    bool isOwn(std::thread::id id) const {
        return std::any_of(all.begin(), all.end(), [id](auto& thread) { return thread.get_id() == id; });
    }

    void run(std::uint64_t born) {
        std::unique_lock lock(mutex);
        while (born == generation && live <= maximum) {
            if (!jobs.empty()) {
                Function<void()> job = std::move(jobs.front());
                jobs.pop_front();
                --idle;
                lock.unlock();
                runJob(job);
                job = nullptr;  // what it owns ends here, without the mutex
                lock.lock();
                if (born == generation) ++idle;
            } else if (phase == Phase::stopped) {
                break;
            } else {
                changed.wait(lock);
            }
        }
        if (born != generation) return;
        --live;
        --idle;
        ended.push_back(std::this_thread::get_id());
        threadEnded.notify_all();
    }
};

ThreadPool::ThreadPool(std::size_t minimum, std::size_t maximum) : state_(std::make_shared<State>()) {
    checkLimits(minimum, maximum);
    state_->minimum = minimum;
    state_->maximum = maximum;
}

ThreadPool::~ThreadPool() { end(nullptr); }

void ThreadPool::start() {
    const std::lock_guard lock(state_->mutex);
    state_->phase = State::Phase::running;
    state_->grow();
}

void ThreadPool::callInThread(Function<void()> job) {
    if (!job) throw ValueError("callInThread needs a function to call");
    State& state = *state_;
    Threads ended;
    {
        const std::lock_guard lock(state.mutex);
        if (state.phase == State::Phase::stopped) return;
        state.jobs.push_back(std::move(job));
        try {
            state.grow();
        } catch (...) {
            job = std::move(state.jobs.back());  // to end without the mutex
            state.jobs.pop_back();
            throw;
        }
        ended = state.takeEnded();
    }
    state.changed.notify_one();
    joinAll(std::move(ended));
}

void ThreadPool::stop() { end(nullptr); }

bool ThreadPool::stop(Duration patience) { return end(&patience); }

bool ThreadPool::end(const Duration* patience) {
    State& state = *state_;
    Jobs dropped;
    Threads ended;
    bool complete = true;
    {
        std::unique_lock lock(state.mutex);
        if (state.isOwn(std::this_thread::get_id()))
            throw RuntimeError("a thread pool cannot be stopped by a thread of its own");
        if (state.phase == State::Phase::waiting) dropped.swap(state.jobs);  // never started
        state.phase = State::Phase::stopped;
        state.changed.notify_all();
        const auto over = [&state] { return state.live == 0; };
        if (patience == nullptr) {
            state.threadEnded.wait(lock, over);
        } else {
            complete = state.threadEnded.wait_for(lock, *patience, over);
        }
        ended = state.takeEnded();
        if (!complete) {
            dropped.swap(state.jobs);
            state.abandon();
        }
    }
    joinAll(std::move(ended));
    return complete;
}

void ThreadPool::adjustPoolsize(std::size_t minimum, std::size_t maximum) {
    checkLimits(minimum, maximum);
    const std::lock_guard lock(state_->mutex);
    state_->minimum = minimum;
    state_->maximum = maximum;
    state_->grow();
    state_->changed.notify_all();
}

std::size_t ThreadPool::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->live;
}

std::size_t ThreadPool::queued() const {
    const std::lock_guard lock(state_->mutex);
    return state_->jobs.size();
}

}  // namespace torsion
