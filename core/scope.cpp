#include <torsion/core/scope.hpp>

#include <algorithm>
#include <iterator>

#include <torsion/core/log.hpp>

namespace torsion {

namespace {

template <class Items, class IsOver>
void prune(Items& items, std::size_t& limit, std::size_t least, IsOver isOver) {
    if (items.size() < limit) return;
    const auto firstOver = std::stable_partition(items.begin(), items.end(), [&](auto& item) { return !isOver(item); });
    // Destroyed last: that may call back.
    const Items over(std::make_move_iterator(firstOver), std::make_move_iterator(items.end()));
    items.erase(firstOver, items.end());
    limit = std::max(least, 2 * items.size());
}

}  // namespace

Scope::State& Scope::state() {
    if (!state_) state_ = std::make_unique<State>();
    return *state_;
}

DelayedCall Scope::callLater(ReactorTime& clock, Duration delay, Function<void()> function) {
    if (cancelled_) return {};
    State& s = state();
    prune(s.timers, s.timersToPrune, kFirstPrune, [](const DelayedCall& timer) { return !timer.active(); });
    s.timers.push_back(clock.callLater(delay, std::move(function)));
    return s.timers.back();
}

void Scope::add(Watched watched) {
    if (cancelled_) return cancelOne(watched);
    State& s = state();
    prune(s.watched, s.watchedToPrune, kFirstPrune, [](Watched& each) { return each(false); });
    s.watched.push_back(std::move(watched));
}

void Scope::report(const Failure& failure) {
    if (!failure.check<defer::CancelledError>())
        log::critical(failure, "Unhandled error in what was spawned in a scope");
}

void Scope::cancelOne(Watched& watched) noexcept {
    try {
        watched(true);
    } catch (...) {
        log::err(Failure::current(), "while cancelling what belonged to a connection");
    }
}

void Scope::cancel() noexcept {
    cancelled_ = true;
    const std::unique_ptr<State> all = std::move(state_);  // what is cancelled may end this
    if (!all) return;
    for (; !all->timers.empty(); all->timers.pop_back()) {
        if (all->timers.back().active()) all->timers.back().cancel();
    }
    for (; !all->watched.empty(); all->watched.pop_back()) cancelOne(all->watched.back());
}

}  // namespace torsion
