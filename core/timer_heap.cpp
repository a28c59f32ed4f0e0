#include <torsion/core/timer_heap.hpp>

#include <algorithm>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

namespace torsion {

namespace detail {

/// One scheduled call, counted by its handles and by its entries in the heap.
class Timer {
public:
    enum class State : unsigned char { pending, called, cancelled };

    void retain() noexcept { ++references; }
    void release() noexcept {
        if (--references == 0) delete this;
    }

    void cancel() {
        state = State::cancelled;
        const Function<void()> dying = std::move(function);  // destroyed last: it may own a handle to us
        if (heap != nullptr) heap->noteStale();
    }

    void moveTo(Duration when) {
        // Later: applied when the old deadline comes up. Sooner: a second entry, and the first goes stale.
        const bool sooner = when < keyDeadline;
        deadline = when;
        if (sooner) {
            heap->push(*this);
            heap->noteStale();
        }
    }

    TimerHeap* heap = nullptr;
    Function<void()> function;
    Duration deadline{};       ///< when it shall run
    Duration keyDeadline{};    ///< what its live entry says; not later than the above
    std::uint64_t number = 0;  ///< of its live entry
    unsigned references = 0;
    State state = State::pending;
};

}  // namespace detail

DelayedCall::DelayedCall(detail::Timer* timer) noexcept : timer_(timer) {
    if (timer_ != nullptr) timer_->retain();
}

DelayedCall::DelayedCall(const DelayedCall& other) noexcept : DelayedCall(other.timer_) {}

DelayedCall::~DelayedCall() {
    if (timer_ != nullptr) timer_->release();
}

detail::Timer& DelayedCall::pending() const {
    if (timer_ == nullptr || timer_->state == detail::Timer::State::called) throw AlreadyCalled();
    if (timer_->state == detail::Timer::State::cancelled) throw AlreadyCancelled();
    return *timer_;
}

Duration DelayedCall::getTime() const { return timer_ != nullptr ? timer_->deadline : Duration::zero(); }

void DelayedCall::cancel() {
    const DelayedCall keep(*this);  // the function may own this very handle
    keep.pending().cancel();
}

void DelayedCall::reset(Duration delay) {
    detail::Timer& timer = pending();
    timer.moveTo(delay > Duration::zero() ? saturatedSum(timer.heap->now(), delay) : timer.heap->now() + delay);
}

void DelayedCall::delay(Duration delay) {
    detail::Timer& timer = pending();
    timer.moveTo(delay > Duration::zero() ? saturatedSum(timer.deadline, delay) : timer.deadline + delay);
}

bool DelayedCall::active() const noexcept {
    return timer_ != nullptr && timer_->state == detail::Timer::State::pending;
}

void TimerHeap::push(detail::Timer& timer) {
    timer.keyDeadline = timer.deadline;
    timer.number = nextNumber_++;
    heap_.push_back({timer.deadline, timer.number, &timer});
    timer.retain();
    std::push_heap(heap_.begin(), heap_.end(), Later());
}

DelayedCall TimerHeap::add(Duration deadline, Function<void()> function) {
    auto* timer = new detail::Timer;
    const DelayedCall handle(timer);
    timer->heap = this;
    timer->function = std::move(function);
    timer->deadline = deadline;
    push(*timer);
    return handle;
}

namespace {
bool isStale(const detail::Timer& timer, std::uint64_t number) noexcept {
    return timer.state != detail::Timer::State::pending || timer.number != number;
}
}  // namespace

TimerHeap::Entry TimerHeap::popTop() {
    std::pop_heap(heap_.begin(), heap_.end(), Later());
    const Entry top = heap_.back();
    heap_.pop_back();
    return top;
}

void TimerHeap::dropStaleTop() {
    while (!heap_.empty()) {
        const Entry& top = heap_.front();
        if (isStale(*top.timer, top.number)) {
            popTop().timer->release();
            if (stale_ > 0) --stale_;
        } else if (top.timer->deadline > top.deadline) {
            const Entry entry = popTop();
            push(*entry.timer);
            entry.timer->release();
        } else {
            return;
        }
    }
}

void TimerHeap::noteStale() {
    ++stale_;
    if (stale_ <= 50 || stale_ <= heap_.size() / 2) return;
    const auto firstStale = std::partition(heap_.begin(), heap_.end(),
                                           [](const Entry& entry) { return !isStale(*entry.timer, entry.number); });
    std::for_each(firstStale, heap_.end(), [](const Entry& entry) { entry.timer->release(); });
    heap_.erase(firstStale, heap_.end());
    std::make_heap(heap_.begin(), heap_.end(), Later());
    stale_ = 0;
}

std::optional<Duration> TimerHeap::next() {
    dropStaleTop();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline;
}

std::size_t TimerHeap::runDue(Duration now) {
    // Taken out first: what the functions add waits for the next pass. A nested pass takes what its own pass finds.
    std::vector<Entry> due = std::move(due_);
    due.clear();
    for (dropStaleTop(); !heap_.empty() && heap_.front().deadline <= now; dropStaleTop()) due.push_back(popTop());
    std::size_t ran = 0;
    for (const Entry& entry : due) {
        detail::Timer& timer = *entry.timer;
        if (timer.heap == this && !isStale(timer, entry.number)) {
            if (timer.deadline > now) {
                push(timer);  // put off by one that ran just before
            } else {
                timer.state = detail::Timer::State::called;
                const DelayedCall keep(&timer);
                Function<void()> function = std::move(timer.function);
                try {
                    function();
                } catch (...) {
                    log::err(Failure::current(), "while calling a function scheduled with callLater");
                }
                ++ran;
            }
        } else if (stale_ > 0) {
            --stale_;
        }
        timer.release();
    }
    due.clear();
    due_ = std::move(due);
    return ran;
}

std::vector<DelayedCall> TimerHeap::pending() const {
    std::vector<DelayedCall> calls;
    for (const Entry& entry : heap_) {
        if (!isStale(*entry.timer, entry.number)) calls.emplace_back(entry.timer);
    }
    return calls;
}

void TimerHeap::clear() {
    while (!heap_.empty()) {
        const Entry entry = heap_.back();
        heap_.pop_back();
        detail::Timer& timer = *entry.timer;
        if (!isStale(timer, entry.number)) {
            timer.state = detail::Timer::State::cancelled;
            timer.heap = nullptr;
            const Function<void()> dying = std::move(timer.function);
        }
        timer.release();
    }
    stale_ = 0;
}

}  // namespace torsion
