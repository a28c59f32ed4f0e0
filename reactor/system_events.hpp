#pragma once

// Private. Not installed.

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
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

    /// Runs the before triggers; when all their Deferreds have fired, whatever their results, @p core, the during
    /// triggers and the after triggers. If they have to be waited for, @p soon (if given) gets the rest to call it, for
    /// Deferreds fire from anywhere. Nothing more happens once this is destroyed.
    void fire(const std::string& event, Function<void()> core, Function<void(Function<void()>)> soon = nullptr);

private:
    struct Registered {
        ReactorCore::TriggerID id;
        ReactorCore::Trigger trigger;
    };
    struct Event {
        std::deque<Registered> phases[3];
    };
    /// An event whose before triggers are waited for.
    struct Wait {
        std::string event;
        std::size_t left = 1;  // one for ourselves, while we still add
        Function<void()> core;
        Function<void(Function<void()>)> soon;
    };

    void goOn(const std::shared_ptr<Wait>& wait);
    std::vector<Deferred<void>> runPhase(const std::string& event, SystemEventPhase phase);
    void runRest(const std::string& event, SystemEventPhase phase);

    std::map<std::string, Event> events_;
    std::vector<std::shared_ptr<Wait>> waiting_;  ///< held here only: the end of this is the end of them
    ReactorCore::TriggerID nextID_ = 1;
};

}  // namespace torsion::detail
