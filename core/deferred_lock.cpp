#include <torsion/core/deferred_lock.hpp>

#include <torsion/core/log.hpp>
#include <torsion/core/waiting_line.hpp>

namespace torsion::defer {

/// The tokens, and who waits for one.
class DeferredSemaphore::Line {
public:
    explicit Line(std::size_t tokens) : limit(tokens), free(tokens) {}

    void release() {
        if (free == limit) throw RuntimeError("release() without an acquire(): no token is out");
        if (waiting.empty()) {
            ++free;
        } else {
            waiting.next().callback();  // the token is his now: nobody can come between
        }
    }

    const std::size_t limit;
    std::size_t free;
    torsion::detail::WaitingLine<void> waiting;
};

DeferredSemaphore::DeferredSemaphore(std::size_t tokens) : line_(std::make_shared<Line>(tokens)) {
    if (tokens == 0) throw ValueError("A DeferredSemaphore needs at least one token");
}

Deferred<void> DeferredSemaphore::acquire() {
    if (line_->free == 0) return line_->waiting.join();
    --line_->free;
    return succeed();
}

Deferred<DeferredSemaphore::Held> DeferredSemaphore::hold() {
    return acquire().addCallback([weak = std::weak_ptr<Line>(line_)] { return Held(weak.lock()); });
}

void DeferredSemaphore::release() {
    const std::shared_ptr<Line> keep = line_;  // whoever runs may destroy the semaphore
    keep->release();
}

void DeferredSemaphore::Held::release() noexcept {
    if (const std::shared_ptr<Line> line = std::move(line_)) line->release();
}

std::size_t DeferredSemaphore::limit() const noexcept { return line_->limit; }
std::size_t DeferredSemaphore::available() const noexcept { return line_->free; }
std::size_t DeferredSemaphore::waiting() const noexcept { return line_->waiting.size(); }

struct DeferredEvent::State {
    bool set = false;
    torsion::detail::WaitingLine<void> waiting;
};

DeferredEvent::DeferredEvent() : state_(std::make_shared<State>()) {}

Deferred<void> DeferredEvent::wait() { return state_->set ? succeed() : state_->waiting.join(); }

void DeferredEvent::set() {
    const std::shared_ptr<State> state = state_;  // whoever runs may destroy the event
    state->set = true;
    // Who comes back to wait after a clear() waits for the next time.
    for (std::size_t left = state->waiting.size(); left > 0 && !state->waiting.empty(); --left) {
        state->waiting.next().callback();
    }
}

void DeferredEvent::clear() noexcept { state_->set = false; }

bool DeferredEvent::isSet() const noexcept { return state_->set; }

}  // namespace torsion::defer
