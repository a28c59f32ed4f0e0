#include <torsion/core/baton.hpp>

#include <condition_variable>
#include <mutex>

namespace torsion::detail {

struct Baton::State {
    std::mutex mutex;
    std::condition_variable changed;
    bool given = false;
};

Baton::Baton() : state_(std::make_unique<State>()) {}
Baton::~Baton() = default;

void Baton::give() noexcept {
    const std::lock_guard lock(state_->mutex);  // notified under it: who waits may destroy us right after
    state_->given = true;
    state_->changed.notify_one();
}

void Baton::take() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->given; });
}

}  // namespace torsion::detail
