#include <torsion/core/timer_store.hpp>

#include <atomic>
#include <bit>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include <torsion/core/plain_memory.hpp>
#include <torsion/core/timer.hpp>

namespace torsion::detail {

namespace {

constexpr std::size_t kCacheLine = 64;
using Places = std::uint64_t;  ///< a bit for each that is free
constexpr Places kAllFree = std::numeric_limits<Places>::max();

}  // namespace

struct alignas(kCacheLine) TimerStore::Slab {
    explicit Slab(TimerStore& owner) noexcept : store(&owner) {}

    alignas(Timer) std::byte room[std::numeric_limits<Places>::digits][sizeof(Timer)];
    Places free = kAllFree;
    TimerStore* store;  ///< null once that is gone: then each slab is on its own
    Slab* before = this;
    Slab* after = this;

    static Slab& of(void* timer, std::uint8_t place) noexcept {
        return *reinterpret_cast<Slab*>(static_cast<std::byte*>(timer) - place * sizeof(Timer));
    }
};

TimerStore::~TimerStore() {
    if (front_ == nullptr) return;
    front_->before->after = nullptr;
    while (Slab* const slab = front_) {
        front_ = slab->after;
        slab->store = nullptr;
        if (slab->free == kAllFree) delete slab;
    }
}

/// Puts @p slab in front, which is in the ring or alone.
void TimerStore::moveToFront(Slab& slab) noexcept {
    if (front_ == &slab) return;
    slab.before->after = slab.after;
    slab.after->before = slab.before;
    if (front_ == nullptr) {
        slab.before = slab.after = &slab;
    } else {
        slab.after = front_;
        slab.before = std::exchange(front_->before, &slab);
        slab.before->after = &slab;
    }
    front_ = &slab;
}

inline void* TimerStore::take(std::uint8_t& place) {
    if (front_ == nullptr || front_->free == 0) moveToFront(*new Slab(*this));
    Slab& slab = *front_;
    if (slab.free == kAllFree && spare_ > 0) --spare_;
    place = static_cast<std::uint8_t>(std::countr_zero(slab.free));
    slab.free &= slab.free - 1;
    if (slab.free == 0) front_ = slab.after;  // so it is the last
    return slab.room[place];
}

inline void TimerStore::giveBack(void* room, std::uint8_t place) noexcept {
    Slab& slab = Slab::of(room, place);
    TimerStore* const store = slab.store;
    const Places bit = Places{1} << place;
    if (store == nullptr) {
        // Handles that outlived the reactor: each may be dropped on another thread.
        if ((std::atomic_ref(slab.free).fetch_or(bit, std::memory_order_acq_rel) | bit) == kAllFree) delete &slab;
        return;
    }
    if (slab.free == 0) store->moveToFront(slab);
    slab.free |= bit;
    if (slab.free == kAllFree && ++store->spare_ > kMostSpare) store->drop(slab);
}

void TimerStore::drop(Slab& slab) noexcept {
    --spare_;
    slab.before->after = slab.after;
    slab.after->before = slab.before;
    if (front_ == &slab) front_ = slab.after == &slab ? nullptr : slab.after;
    delete &slab;
}

#if defined(TORSION_PLAIN_MEMORY)

Timer* TimerStore::make(TimerHeap& heap, Duration deadline, Function<void()>&& function) {
    return new Timer(heap, deadline, std::move(function));
}

void TimerStore::destroy(Timer* timer) noexcept { delete timer; }

#else

Timer* TimerStore::make(TimerHeap& heap, Duration deadline, Function<void()>&& function) {
    static_assert(std::is_nothrow_constructible_v<Timer, TimerHeap&, Duration, Function<void()>&&>);
    std::uint8_t place = 0;
    auto* const timer = ::new (take(place)) Timer(heap, deadline, std::move(function));
    timer->place = place;
    return timer;
}

void TimerStore::destroy(Timer* timer) noexcept {
    const std::uint8_t place = timer->place;
    timer->~Timer();
    giveBack(timer, place);
}

#endif

}  // namespace torsion::detail
