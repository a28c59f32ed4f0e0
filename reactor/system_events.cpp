#include <torsion/reactor/system_events.hpp>

#include <algorithm>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

namespace torsion::detail {

ReactorCore::TriggerID SystemEvents::add(SystemEventPhase phase, const std::string& event,
                                         ReactorCore::Trigger trigger) {
    if (!trigger) throw ValueError("addSystemEventTrigger needs a function to call");
    const ReactorCore::TriggerID id = nextID_++;
    events_[event].phases[static_cast<int>(phase)].push_back({id, std::move(trigger)});
    return id;
}

void SystemEvents::remove(ReactorCore::TriggerID trigger) {
    for (auto& [name, event] : events_) {
        for (auto& phase : event.phases) {
            for (auto it = phase.begin(); it != phase.end(); ++it) {
                if (it->id == trigger) {
                    phase.erase(it);
                    return;
                }
            }
        }
    }
    throw ValueError("No system event trigger has the number " + std::to_string(trigger) +
                     ", it may have fired already");
}

std::vector<Deferred<void>> SystemEvents::runPhase(const std::string& event, SystemEventPhase phase) {
    std::vector<Deferred<void>> results;
    std::deque<Registered>& triggers = events_[event].phases[static_cast<int>(phase)];
    while (!triggers.empty()) {  // also those that are added meanwhile
        Registered next = std::move(triggers.front());
        triggers.pop_front();
        try {
            results.push_back(next.trigger());
        } catch (...) {
            log::err(Failure::current(), "in a trigger of the system event " + event);
        }
    }
    return results;
}

void SystemEvents::fire(const std::string& event, Function<void()> core, Function<void(Function<void()>)> soon) {
    const auto wait = std::make_shared<Wait>();
    wait->event = event;
    wait->core = std::move(core);
    waiting_.push_back(wait);
    for (Deferred<void>& result : runPhase(event, SystemEventPhase::before)) {
        if (!result) continue;
        ++wait->left;
        result
            .addErrback(
                [event](const Failure& failure) { log::err(failure, "in a trigger before the system event " + event); })
            .addCallback([this, weak = std::weak_ptr<Wait>(wait)] {
                const std::shared_ptr<Wait> waited = weak.lock();
                if (!waited || --waited->left != 0) return;
                if (!waited->soon) {
                    goOn(waited);
                    return;
                }
                waited->soon([this, weak] {
                    if (const std::shared_ptr<Wait> alive = weak.lock()) goOn(alive);
                });
            });
    }
    wait->soon = std::move(soon);  // not for those that have fired already
    if (--wait->left == 0) goOn(wait);
}

void SystemEvents::goOn(const std::shared_ptr<Wait>& wait) {
    const std::shared_ptr<Wait> done = wait;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), done));
    done->core();
    runRest(done->event, SystemEventPhase::during);
    runRest(done->event, SystemEventPhase::after);
}

void SystemEvents::runRest(const std::string& event, SystemEventPhase phase) {
    for (Deferred<void>& result : runPhase(event, phase)) {
        if (!result) continue;
        result.addErrback(
            [event](const Failure& failure) { log::err(failure, "in a trigger of the system event " + event); });
    }
}

}  // namespace torsion::detail
