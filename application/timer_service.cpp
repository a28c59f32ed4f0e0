#include <torsion/application/timer_service.hpp>

#include <torsion/core/log.hpp>

namespace torsion::service {

void TimerService::startService() {
    Service::startService();
    ended_ = loop_.start(step_).addErrback(
        [](const Failure& failure) { log::err(failure, "Failure running timed service"); });
}

Deferred<void> TimerService::stopService() {
    if (loop_.running()) loop_.stop();
    const Deferred<void> ended = ended_ ? *ended_ : defer::succeed();
    ended_.reset();
    Service::stopService();
    return ended;  // when a call that is under way has ended
}

}  // namespace torsion::service
