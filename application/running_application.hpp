#pragma once

#include <memory>
#include <optional>
#include <string>

#include <torsion/application/run.hpp>
#include <torsion/core/delayed_call.hpp>
#include <torsion/core/looping_call.hpp>

namespace torsion::service {

class ConnectionDrain;

/// An application on its way through a reactor's life; made by startApplication. Of the reactor's thread.
class RunningApplication : public std::enable_shared_from_this<RunningApplication> {
public:
    enum class State {
        starting,  ///< until all services are ready
        running,
        draining,
        stopping,  ///< the services are
        stopped,
    };

    /// For startApplication.
    RunningApplication(Reactor& reactor, std::shared_ptr<Service> application, const RunOptions& options);
    RunningApplication(const RunningApplication&) = delete;
    RunningApplication& operator=(const RunningApplication&) = delete;
    ~RunningApplication();

    State state() const noexcept { return state_; }

    /// What run() returns: why it could not start, or 0.
    int status() const noexcept { return status_; }

    /// For startApplication: begins, now or when the reactor does.
    void begin();

private:
    void start();
    void ready();
    void tellReady();
    void fail(int status, const Failure& failure);
    Deferred<void> shutDown();
    void drain();
    void lookWhoIsLeft();
    void endDrain();
    void drained();
    void stop();
    void finish();
    void waitFor(Deferred<void> services, const char* what, void (RunningApplication::*then)());
    void giveUpWaiting() noexcept;
    void listenForHurry();
    void hurry();
    void forgetHurryLater();
    void later(void (RunningApplication::*what)());
    template <class Call>
    auto weakly(Call call);

    Reactor& reactor_;
    std::shared_ptr<Service> application_;
    RunOptions options_;
    State state_ = State::starting;
    int status_ = 0;
    bool begun_ = false;     ///< services were told to start
    bool failed_ = false;    ///< to start
    bool hurried_ = false;   ///< no more waiting for connections
    bool drained_ = false;   ///< the services have
    bool stopping_ = false;  ///< the services were told to
    std::shared_ptr<ConnectionDrain> connections_;
    DelayedCall timeLimit_;
    std::optional<Deferred<void>> services_;  ///< what is waited for: their drain or their end
    std::optional<Deferred<void>> shutdown_;  ///< holds up the reactor's end
    std::optional<ReactorCore::TriggerID> hurryTrigger_;
    std::optional<task::LoopingCall> watchdog_;
};

}  // namespace torsion::service
