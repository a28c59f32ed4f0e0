#include <torsion/core/timer_heap.hpp>

#include <algorithm>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/pool.hpp>

namespace torsion {

namespace detail {

/// One scheduled call, counted by its handles and by its entries. What cancel and reset look at comes first: they miss
/// the cache once.
class Timer {
public:
    enum class State : unsigned char { pending, called, cancelled };

    Timer(TimerHeap& owner, Duration when, Function<void()>&& f) noexcept
        : deadline(when), heap(&owner), function(std::move(f)) {}

    void retain() noexcept { ++references; }
    void release() noexcept {
        if (--references == 0) poolDelete(this);
    }

    void cancel() {
        state = State::cancelled;
        if (heap != nullptr) heap->forget(*this);
        function = nullptr;  // last: it may do anything; our caller holds us
    }

    void moveTo(Duration when) {
        // Later: applied when the old deadline comes up. Sooner: a second entry, and the first is forgotten.
        const bool sooner = when < keyDeadline;
        deadline = when;
        if (sooner) {
            retain();  // its old entry may be the last that counts it
            heap->forget(*this);
            heap->post(*this);
            release();
        }
    }

    Duration deadline;         ///< when it shall run
    Duration keyDeadline{};    ///< what its live entry says; not later than the above
    std::uint64_t number = 0;  ///< of its live entry
    TimerHeap* heap;
    unsigned references = 0;
    State state = State::pending;
    Function<void()> function;
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

namespace {

/// The children of one entry lie together in memory.
constexpr std::size_t kBranches = 4;

/// How far ahead timers are fetched into the cache: they lie anywhere.
constexpr std::size_t kAhead = 8;

bool isStale(const detail::Timer& timer, std::uint64_t number) noexcept {
    return timer.state != detail::Timer::State::pending || timer.number != number;
}

}  // namespace

DelayedCall TimerHeap::add(Duration deadline, Function<void()>&& function) {
    auto* timer = detail::poolNew<detail::Timer>(*this, deadline, std::move(function));
    DelayedCall handle(timer);
    post(*timer);
    return handle;
}

/// Gives @p timer a new entry, in the inbox.
void TimerHeap::post(detail::Timer& timer) {
    timer.keyDeadline = timer.deadline;
    timer.number = inboxNumber_ + inbox_.size();
    inbox_.push_back({timer.deadline, timer.number, &timer});
    timer.retain();
}

/// The live entry of @p timer is not any more.
void TimerHeap::forget(detail::Timer& timer) {
    if (timer.number < inboxNumber_) {
        noteStale();
        return;
    }
    const std::size_t place = timer.number - inboxNumber_;
    if (place + 1 == inbox_.size()) {
        inbox_.pop_back();
    } else {
        inbox_[place].timer = nullptr;
        ++holes_;
        if (holes_ > 50 && holes_ > inbox_.size() / 4 * 3) closeHoles();
    }
    timer.release();
}

void TimerHeap::closeHoles() {
    std::size_t kept = 0;
    for (const Entry& entry : inbox_) {
        if (entry.timer == nullptr) continue;
        entry.timer->number = inboxNumber_ + kept;
        inbox_[kept] = {entry.deadline, entry.timer->number, entry.timer};
        ++kept;
    }
    inbox_.resize(kept);
    holes_ = 0;
}

/// Moves what is in the inbox to the heap, but what is due at @p now to early_, in order.
void TimerHeap::emptyInbox(std::optional<Duration> now) {
    const std::size_t before = heap_.size();
    for (const Entry& entry : inbox_) {
        if (entry.timer != nullptr) (entry.deadline <= now ? early_ : heap_).push_back(entry);
    }
    inboxNumber_ += inbox_.size();
    inbox_.clear();
    holes_ = 0;
    if (heap_.size() - before > before / kBranches) {
        makeHeap();
    } else {
        for (std::size_t place = before; place < heap_.size(); ++place) siftUp(place);
    }
    std::sort(early_.begin(), early_.end());
}

/// Puts an entry for @p timer right into the heap. The inbox must be empty.
void TimerHeap::push(detail::Timer& timer) {
    timer.keyDeadline = timer.deadline;
    timer.number = inboxNumber_++;
    heap_.push_back({timer.deadline, timer.number, &timer});
    timer.retain();
    siftUp(heap_.size() - 1);
}

void TimerHeap::siftUp(std::size_t place) noexcept {
    const Entry entry = heap_[place];
    while (place > 0) {
        const std::size_t parent = (place - 1) / kBranches;
        if (!(entry < heap_[parent])) break;
        heap_[place] = heap_[parent];
        place = parent;
    }
    heap_[place] = entry;
}

void TimerHeap::siftDown(std::size_t place) noexcept {
    const Entry entry = heap_[place];
    for (;;) {
        const std::size_t first = place * kBranches + 1;
        if (first >= heap_.size()) break;
        const std::size_t end = std::min(first + kBranches, heap_.size());
        std::size_t least = first;
        for (std::size_t child = first + 1; child < end; ++child) {
            if (heap_[child] < heap_[least]) least = child;
        }
        if (!(heap_[least] < entry)) break;
        heap_[place] = heap_[least];
        place = least;
    }
    heap_[place] = entry;
}

void TimerHeap::makeHeap() noexcept {
    if (heap_.size() < 2) return;
    for (std::size_t place = (heap_.size() - 2) / kBranches + 1; place-- > 0;) siftDown(place);
}

TimerHeap::Entry TimerHeap::popTop() noexcept {
    const Entry top = heap_.front();
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) siftDown(0);
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
    makeHeap();
    stale_ = 0;
}

std::optional<Duration> TimerHeap::next() {
    if (!inbox_.empty()) emptyInbox(std::nullopt);
    dropStaleTop();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline;
}

/// Moves what is due to @p due, in order.
void TimerHeap::takeDue(Duration now, std::vector<Entry>& due) {
    if (!inbox_.empty()) emptyInbox(now);
    std::size_t place = 0;
    for (;;) {
        dropStaleTop();
        const bool fromHeap = !heap_.empty() && heap_.front().deadline <= now;
        if (place == early_.size()) {
            if (!fromHeap) break;
            due.push_back(popTop());
        } else if (fromHeap && heap_.front() < early_[place]) {
            due.push_back(popTop());
        } else {
            if (place + kAhead < early_.size()) __builtin_prefetch(early_[place + kAhead].timer);
            const Entry& entry = early_[place++];
            if (entry.timer->deadline > entry.deadline) {
                push(*entry.timer);
                entry.timer->release();
            } else {
                due.push_back(entry);
            }
        }
    }
    early_.clear();
}

std::size_t TimerHeap::runDue(Duration now) {
    // Taken out first: what the functions add waits for the next pass. A nested pass takes what its own pass finds.
    std::vector<Entry> due = std::move(due_);
    due.clear();
    takeDue(now, due);
    std::size_t ran = 0;
    for (std::size_t i = 0; i < due.size(); ++i) {
        if (i + kAhead < due.size()) __builtin_prefetch(due[i + kAhead].timer);
        detail::Timer& timer = *due[i].timer;
        if (timer.heap == this && !isStale(timer, due[i].number)) {
            if (timer.deadline > now) {
                post(timer);  // put off by one that ran just before
            } else {
                timer.state = detail::Timer::State::called;  // so nobody touches the function until it returns
                try {
                    timer.function();
                } catch (...) {
                    log::err(Failure::current(), "while calling a function scheduled with callLater");
                }
                timer.function = nullptr;
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
    for (const std::vector<Entry>* entries : {&heap_, &inbox_}) {
        for (const Entry& entry : *entries) {
            if (entry.timer != nullptr && !isStale(*entry.timer, entry.number)) calls.emplace_back(entry.timer);
        }
    }
    return calls;
}

void TimerHeap::clear() {
    while (!heap_.empty() || !inbox_.empty()) {
        if (heap_.empty()) {
            emptyInbox(std::nullopt);
            continue;
        }
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
