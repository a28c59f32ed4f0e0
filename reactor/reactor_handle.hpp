#pragma once

// Private. Not installed.

#include <condition_variable>
#include <mutex>
#include <vector>

#include <torsion/core/reactor.hpp>

namespace torsion::detail {

/// What other threads know of a reactor that comes and goes: it is there before and after it. Every method may be
/// called from any thread.
///
/// What is posted while there is no reactor waits for one to come, for destroyCalls(), or for close().
class ReactorHandle final : public ReactorThreads {
public:
    /// After close() the function is destroyed at once, by the caller.
    void callFromThread(Function<void()> function) override;
    void wakeUp() override;
    void callInThread(Function<void()> function) override;

    /// The reactor is here: it gets what has waited, in order.
    void attach(Reactor& reactor);
    /// It ends. When this has returned, nobody posts to it by way of us any more.
    void detach();

    /// On the thread whose reactor was here: destroys what waits, and what comes, until endDestroying().
    void destroyCalls();
    void endDestroying();

    /// The reactor; null if it is not here. To be used on its own thread, from which it does not go away.
    Reactor* reactor();

    /// There will be none any more. @return what waits, to be destroyed
    std::vector<Function<void()>> close();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    Reactor* reactor_ = nullptr;
    std::vector<Function<void()>> waiting_;
    bool destroyingEnds_ = false;
    bool closed_ = false;
};

}  // namespace torsion::detail
