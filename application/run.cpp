#include <torsion/application/run.hpp>

#include <sysexits.h>

#include <utility>

#include <torsion/application/running_application.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/logger.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/react.hpp>

namespace torsion::service {

std::shared_ptr<RunningApplication> startApplication(Reactor& reactor, std::shared_ptr<Service> application,
                                                     const RunOptions& options) {
    auto running = std::make_shared<RunningApplication>(reactor, std::move(application), options);
    running->begin();
    return running;
}

int run(Reactor& reactor, std::shared_ptr<Service> application, const RunOptions& options) {
    const auto running = startApplication(reactor, std::move(application), options);
    reactor.run();
    return running->status();
}

int run(Function<std::shared_ptr<Service>(Reactor&)> makeApplication, const RunOptions& options) {
    LibeventReactor reactor;
    std::shared_ptr<RunningApplication> running;
    try {
        running = startApplication(reactor, makeApplication(reactor), options);
    } catch (const task::Exit& exit) {
        return exit.status();
    } catch (...) {
        static const logger::Logger log("torsion.application");
        log.critical("The application could not be made: {why}",
                     logger::field("why", Failure::current().getErrorMessage()));
        return EX_CONFIG;
    }
    reactor.run();
    return running->status();
}

}  // namespace torsion::service
