#pragma once

#include <optional>

#include <torsion/application/service.hpp>
#include <torsion/core/looping_call.hpp>

namespace torsion::service {

/// Calls a function at an interval while it runs (twisted.application.internet.TimerService). If the function throws,
/// or its Deferred fails, that is logged and no more calls come; the service stays.
class TimerService : public Service {
public:
    /// @param f as LoopingCall's; the first call comes at the start
    template <class F>
    TimerService(ReactorTime& clock, Duration step, F f) : loop_(clock, std::move(f)), step_(step) {}

    void startService() override;
    Deferred<void> stopService() override;

private:
    task::LoopingCall loop_;
    Duration step_;
    std::optional<Deferred<void>> ended_;
};

}  // namespace torsion::service
