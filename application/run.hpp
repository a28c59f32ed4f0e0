#pragma once

#include <memory>
#include <string>

#include <torsion/application/service.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor.hpp>

namespace torsion::service {

class RunningApplication;

/// How an application is run.
struct RunOptions {
    /// How long connections and services may take to finish, from the signal on. Zero: no time at all.
    Duration drainTime = kDefaultDrainTime;
    /// How long the services may take to stop after that.
    Duration stopTime = kDefaultStopTime;
    /// Who to go on as once all services have done what needs privileges, such as to listen on port 80: a name or a
    /// number. Empty to stay who we are.
    std::string user{};
    /// Another group than the user's own.
    std::string group{};

    static constexpr Duration kDefaultDrainTime = std::chrono::seconds(30);
    static constexpr Duration kDefaultStopTime = std::chrono::seconds(10);
};

/// Runs an application, a service that mostly is a MultiService, from its start to its end (twistd, without the parts
/// that a service manager does: it stays in the foreground, and logs where the program says).
///
///     int main() {
///         return service::run([](Reactor& reactor) {
///             auto application = std::make_shared<service::MultiService>();
///             application->addService<service::StreamServerEndpointService>(
///                 endpoints::serverFromString(reactor, "tcp:80"), Factory::forProtocol<Echo>());
///             return application;
///         }, {.user = "www-data"});
///     }
///
/// The start: privilegedStartService; if asked for, the change of the user, for good; startService; and when whenReady
/// has fired, which for a service that listens means that it does, "READY=1" to the service manager.
///
/// One application a reactor; several services are a MultiService.
///
/// The end, at SIGTERM or SIGINT (as LibeventReactor takes them) or reactor.stop(): "STOPPING=1"; all services drain(),
/// those that listen stop that, and each connection that a peer began is told if it is a DrainListener. When all of
/// these have ended, or drainTime is up, what connections are left are aborted and the services are stopped: clients,
/// timers and the like, which may be needed until then. A second signal ends the drain at once, and a third the wait
/// for the services. What runs on the reactor's threads is waited for in any case.
///
/// @param makeApplication makes the services, before the reactor runs
/// @return the status to leave the process with: 0 after a good run; what a task::Exit said, without a word; or, with a
/// line in the log, which is stderr if there is none, of <sysexits.h>: 78 EX_CONFIG if makeApplication threw, 67
/// EX_NOUSER for an unknown user or group, 77 EX_NOPERM if the user could not be changed, 69 EX_UNAVAILABLE if a
/// service could not start. What had started is stopped
int run(Function<std::shared_ptr<Service>(Reactor&)> makeApplication, const RunOptions& options = {});

/// The same on a reactor that there is already. @throws ReactorAlreadyRunning
int run(Reactor& reactor, std::shared_ptr<Service> application, const RunOptions& options = {});

/// Prepares the start of @p application, which comes when @p reactor runs, or now if it does (app.startApplication).
/// For those who run the reactor themselves. @return to be kept until the reactor has stopped: its end is that of all
/// interest in the application, which is not stopped then
/// @throws ValueError without an application, or if one of the times is negative
std::shared_ptr<RunningApplication> startApplication(Reactor& reactor, std::shared_ptr<Service> application,
                                                     const RunOptions& options = {});

}  // namespace torsion::service
