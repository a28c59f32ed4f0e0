#pragma once

// Private. Not installed.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <torsion/core/reactor.hpp>

namespace torsion::detail {

/// The events of a reactor's life, each in three phases (SE-1, SE-2, SE-6). A trigger fires once, and is gone then.
class SystemEvents {
public:
    ReactorCore::TriggerID add(SystemEventPhase phase, const std::string& event, ReactorCore::Trigger trigger);

    /// @throws ValueError if there is no such trigger
    void remove(ReactorCore::TriggerID trigger);

    /// Runs the before triggers; when all their Deferreds have fired, whatever their results, @p core, the during triggers
    /// and the after triggers. Must not be destroyed while it waits.
    void fire(const std::string& event, Function<void()> core);

private:
    struct Registered {
        ReactorCore::TriggerID id;
        ReactorCore::Trigger trigger;
    };
    struct Event {
        std::deque<Registered> phases[3];
    };

    std::vector<Deferred<void>> runPhase(const std::string& event, SystemEventPhase phase);
    void runRest(const std::string& event, SystemEventPhase phase);

    std::map<std::string, Event> events_;
    ReactorCore::TriggerID nextID_ = 1;
};

}  // namespace torsion::detail
