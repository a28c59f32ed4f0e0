#include <torsion/reactor/reactor_handle.hpp>

#include <utility>

#include <torsion/core/error.hpp>

namespace torsion::detail {

void ReactorHandle::callFromThread(Function<void()> function) {
    if (!function) throw ValueError("callFromThread needs a function to call");
    const std::lock_guard lock(mutex_);  // gone before the function is, whose end may call us again
    if (reactor_ != nullptr) {
        reactor_->callFromThread(std::move(function));
    } else if (!closed_) {
        waiting_.push_back(std::move(function));
        changed_.notify_one();
    }
}

void ReactorHandle::wakeUp() {
    const std::lock_guard lock(mutex_);
    if (reactor_ != nullptr) reactor_->wakeUp();
}

void ReactorHandle::callInThread(Function<void()> function) {
    if (!function) throw ValueError("callInThread needs a function to call");
    // The pool of threads is for the reactor's own thread to use.
    callFromThread([this, job = std::move(function)]() mutable {
        if (Reactor* const here = reactor()) here->callInThread(std::move(job));
    });
}

Reactor* ReactorHandle::reactor() {
    const std::lock_guard lock(mutex_);
    return reactor_;
}

void ReactorHandle::attach(Reactor& reactor) {
    const std::lock_guard lock(mutex_);
    reactor_ = &reactor;
    for (Function<void()>& function : std::exchange(waiting_, {})) reactor.callFromThread(std::move(function));
}

void ReactorHandle::detach() {
    const std::lock_guard lock(mutex_);
    reactor_ = nullptr;
}

void ReactorHandle::destroyCalls() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !waiting_.empty() || destroyingEnds_; });
        if (waiting_.empty()) return;
        std::vector<Function<void()>> calls = std::exchange(waiting_, {});
        lock.unlock();  // their ends may post again, here and anywhere
        calls.clear();
        lock.lock();
    }
}

void ReactorHandle::endDestroying() {
    const std::lock_guard lock(mutex_);
    destroyingEnds_ = true;
    changed_.notify_one();
}

std::vector<Function<void()>> ReactorHandle::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(waiting_, {});
}

}  // namespace torsion::detail
