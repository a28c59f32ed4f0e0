#include <torsion/core/timer_heap.hpp>

#include <algorithm>
#include <array>
#include <numeric>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/timer.hpp>

namespace torsion {

namespace {

[[noreturn, gnu::cold]] void throwNotPending(const detail::Timer* timer) {
    if (timer != nullptr && timer->state == detail::Timer::State::cancelled) throw AlreadyCancelled();
    throw AlreadyCalled();
}

/// The children of one entry lie together in memory.
constexpr std::size_t kBranches = 4;

/// How far ahead timers are fetched into the cache: they lie anywhere.
constexpr std::size_t kAhead = 8;

constexpr std::size_t kWordBits = 64;

bool isStale(const detail::Timer& timer, std::uint64_t number) noexcept {
    return !timer.isPending() || timer.number != number;
}

}  // namespace

DelayedCall TimerHeap::add(Duration deadline, Function<void()>&& function) {
    detail::Timer* const timer = store_.make(*this, deadline, std::move(function));
    DelayedCall handle(timer);
    post(*timer);
    timer->retain();
    return handle;
}

/// Gives @p timer a new entry, in the inbox, which takes over one count of it.
void TimerHeap::post(detail::Timer& timer) {
    timer.keyDeadline = timer.deadline;
    inbox_.push_back({timer.deadline, nextNumber_, &timer});  // first: it may throw
    timer.number = nextNumber_++;
}

/// The live entry of @p timer is not any more.
/// @return whether its count has become the caller's; in the heap it stays until the entry is purged
inline bool TimerHeap::forget(detail::Timer& timer) {
    if (timer.number < inboxNumber_) {
        noteStale();
        return false;
    }
    if (timer.number + 1 == nextNumber_) {
        inbox_.pop_back();
        --nextNumber_;
    } else {
        const std::size_t place = timer.number - inboxNumber_;
        if (place / kWordBits >= holes_.size()) [[unlikely]]
            holes_.resize(inbox_.size() / kWordBits + 1);
        holes_[place / kWordBits] |= std::uint64_t{1} << place % kWordBits;
        if (++holeCount_ > 50 && 4 * holeCount_ > 3 * (nextNumber_ - inboxNumber_)) closeHoles();
    }
    return true;
}

/// The function goes last, for its destructor may do anything, and own the last handle.
inline void detail::Timer::cancel() {
    state = State::cancelled;
    if (!heap->forget(*this)) retain();
    function = nullptr;
    release();
}

void detail::Timer::moveTo(Duration when) {
    // Later: applied when the old deadline comes up. Sooner: a second entry, and the first is forgotten.
    const bool sooner = when < keyDeadline;
    deadline = when;
    if (sooner) {
        if (!heap->forget(*this)) retain();
        heap->post(*this);
    }
}

DelayedCall::DelayedCall(detail::Timer* timer) noexcept : timer_(timer) {
    if (timer_ != nullptr) timer_->retain();
}

DelayedCall::DelayedCall(const DelayedCall& other) noexcept : DelayedCall(other.timer_) {}

DelayedCall::~DelayedCall() {
    if (timer_ != nullptr) timer_->release();
}

inline detail::Timer& DelayedCall::pending() const {
    if (timer_ == nullptr || !timer_->isPending()) throwNotPending(timer_);
    return *timer_;
}

Duration DelayedCall::getTime() const { return timer_ != nullptr ? timer_->deadline : Duration::zero(); }

void DelayedCall::cancel() { pending().cancel(); }

void DelayedCall::reset(Duration delay) {
    detail::Timer& timer = pending();
    timer.moveTo(delay > Duration::zero() ? saturatedSum(timer.heap->now(), delay) : timer.heap->now() + delay);
}

void DelayedCall::delay(Duration delay) {
    detail::Timer& timer = pending();
    timer.moveTo(delay > Duration::zero() ? saturatedSum(timer.deadline, delay) : timer.deadline + delay);
}

bool DelayedCall::active() const noexcept { return timer_ != nullptr && timer_->isPending(); }

bool TimerHeap::isHole(std::size_t place) const noexcept {
    return place / kWordBits < holes_.size() && (holes_[place / kWordBits] >> place % kWordBits & 1U) != 0;
}

void TimerHeap::closeHoles() {
    std::size_t kept = 0;
    for (std::size_t place = 0; place < inbox_.size(); ++place) {
        if (isHole(place)) continue;
        detail::Timer& timer = *inbox_[place].timer;
        timer.number = inboxNumber_ + kept;
        inbox_[kept++] = {inbox_[place].deadline, timer.number, &timer};
    }
    inbox_.resize(kept);
    nextNumber_ = inboxNumber_ + kept;
    holes_.clear();
    holeCount_ = 0;
}

/// Moves what is in the inbox to the heap, but what is due at @p now to early_.
void TimerHeap::emptyInbox(std::optional<Duration> now) {
    if (holeCount_ > 0) closeHoles();
    const std::size_t before = heap_.size();
    for (const Entry& entry : inbox_) (entry.deadline <= now ? early_ : heap_).push_back(entry);
    inboxNumber_ = nextNumber_;
    inbox_.clear();
    if (heap_.size() - before > before / kBranches) {
        makeHeap();
    } else {
        for (std::size_t place = before; place < heap_.size(); ++place) siftUp(place);
    }
}

/// Sorts early_, whose equal deadlines are in order already, by digits of the deadline. To compare a crowd would cost a
/// wrong guess of the processor at every second step: four times as much.
/// @param room is used, and empty afterwards
void TimerHeap::sortEarly(std::vector<Entry>& room) {
    constexpr std::size_t kCrowd = 2048;
    if (early_.size() < kCrowd) {
        std::sort(early_.begin(), early_.end());
        return;
    }
    constexpr unsigned kDigitBits = 11;
    constexpr std::size_t kDigits = 1U << kDigitBits;
    const auto [least, most] = std::minmax_element(
        early_.begin(), early_.end(), [](const Entry& a, const Entry& b) { return a.deadline < b.deadline; });
    const auto from = static_cast<std::uint64_t>(least->deadline.count());
    const auto range = static_cast<std::uint64_t>(most->deadline.count()) - from;
    room.resize(early_.size());
    for (unsigned shift = 0; shift < 64 && range >> shift != 0; shift += kDigitBits) {
        const auto digit = [&](const Entry& entry) {
            return (static_cast<std::uint64_t>(entry.deadline.count()) - from) >> shift & (kDigits - 1);
        };
        std::array<std::size_t, kDigits + 1> places{};  // where the next with each digit goes
        for (const Entry& entry : early_) ++places[digit(entry) + 1];
        std::partial_sum(places.begin(), places.end(), places.begin());
        for (const Entry& entry : early_) room[places[digit(entry)]++] = entry;
        early_.swap(room);
    }
    room.clear();
}

/// Puts an entry for @p timer right into the heap. The inbox must be empty.
void TimerHeap::push(detail::Timer& timer) {
    timer.keyDeadline = timer.deadline;
    heap_.push_back({timer.deadline, nextNumber_, &timer});
    timer.number = nextNumber_++;
    inboxNumber_ = nextNumber_;
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
    sortEarly(due);
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
                timer.retain();
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
    for (const Entry& entry : heap_) {
        if (!isStale(*entry.timer, entry.number)) calls.emplace_back(entry.timer);
    }
    for (std::size_t place = 0; place < inbox_.size(); ++place) {
        if (!isHole(place)) calls.emplace_back(inbox_[place].timer);
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
