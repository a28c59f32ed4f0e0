#include <torsion/application/running_application.hpp>

#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <torsion/application/connection_drain.hpp>
#include <torsion/application/notify.hpp>
#include <torsion/application/user_identity.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/logger.hpp>
#include <torsion/reactor/react.hpp>

namespace torsion::service {

namespace {

constexpr Duration kTellAgain = std::chrono::milliseconds(100);

const logger::Logger& runLog() {
    static const logger::Logger runLog("torsion.application");
    return runLog;
}

double inSeconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// @p text as the value of a variable for the service manager, which ends at a newline.
std::string oneLine(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/// The service manager may have less patience than we: it gets what we may take, and a little more.
std::string extendedTimeout(Duration time) {
    const Duration whole = saturatedSum(time, std::chrono::seconds(5));
    return "EXTEND_TIMEOUT_USEC=" +
           std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(whole).count());
}

}  // namespace

RunningApplication::RunningApplication(Reactor& reactor, std::shared_ptr<Service> application,
                                       const RunOptions& options)
    : reactor_(reactor), application_(std::move(application)), options_(options) {
    if (!application_) throw ValueError("an application needs a service to run, not null");
    if (options_.drainTime < Duration::zero() || options_.stopTime < Duration::zero())
        throw ValueError("drainTime and stopTime must not be negative");
}

RunningApplication::~RunningApplication() {
    if (timeLimit_.active()) timeLimit_.cancel();
    giveUpWaiting();
    if (shutdown_ && !shutdown_->called()) shutdown_->callback();
}

/// @p call as something that others may keep, and that does nothing once this is gone.
template <class Call>
auto RunningApplication::weakly(Call call) {
    return [weak = weak_from_this(), call = std::move(call)] {
        if (const auto self = weak.lock()) call(*self);
    };
}

void RunningApplication::later(void (RunningApplication::*what)()) {
    reactor_.turn().later(weakly([what](RunningApplication& self) { (self.*what)(); }));
}

// The start.

void RunningApplication::begin() {
    listenForHurry();
    reactor_.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [weak = weak_from_this()] {
        const auto self = weak.lock();
        return self ? self->shutDown() : defer::succeed();
    });
    reactor_.callWhenRunning(weakly([](RunningApplication& self) { self.start(); }));
}

void RunningApplication::start() {
    int otherwise = EX_NOUSER;
    try {
        std::optional<UserIdentity> identity;
        if (!options_.user.empty()) {
            identity.emplace(options_.user, options_.group);
        } else if (!options_.group.empty()) {
            throw UnknownUserError("the group '" + options_.group + "' was given without a user");
        }
        otherwise = EX_UNAVAILABLE;
        begun_ = true;
        application_->privilegedStartService();
        if (identity) {
            otherwise = EX_NOPERM;
            identity->assume();
            otherwise = EX_UNAVAILABLE;
        }
        application_->startService();
        application_->whenReady().addCallbacks(weakly([](RunningApplication& self) { self.ready(); }),
                                               [weak = weak_from_this()](const Failure& failure) {
                                                   if (const auto self = weak.lock())
                                                       self->fail(EX_UNAVAILABLE, failure);
                                               });
    } catch (...) {
        fail(otherwise, Failure::current());
    }
}

void RunningApplication::ready() {
    if (state_ != State::starting || failed_) return;
    state_ = State::running;
    tellReady();
    if (const std::optional<Duration> interval = watchdogInterval()) {
        watchdog_.emplace(reactor_, [] { sdNotify("WATCHDOG=1"); });
        watchdog_->start(*interval / 2);
    }
}

/// Without this word the service manager would end us one day: so it is repeated until there is room for it.
void RunningApplication::tellReady() {
    if (state_ != State::running || trySdNotify("READY=1") != Notification::busy) return;
    timeLimit_ = reactor_.callLater(kTellAgain, weakly([](RunningApplication& self) { self.tellReady(); }));
}

void RunningApplication::fail(int status, const Failure& failure) {
    if (state_ != State::starting || failed_) return;  // it is ending: what was not ready yet need not become so
    failed_ = true;
    if (const task::Exit* const exit = failure.value<task::Exit>()) {
        status_ = exit->status();
    } else {
        status_ = status;
        const std::string what = "The application could not start: " + oneLine(failure.getErrorMessage());
        runLog().critical("{what}", logger::field("what", what));
        sdNotify("STATUS=" + what);
    }
    try {
        reactor_.stop();
    } catch (const ReactorNotRunning&) {  // a signal has come meanwhile
    }
}

// The end.

Deferred<void> RunningApplication::shutDown() {
    if (timeLimit_.active()) timeLimit_.cancel();
    if (!begun_) {
        state_ = State::stopped;
        if (hurryTrigger_) reactor_.removeSystemEventTrigger(*std::exchange(hurryTrigger_, std::nullopt));
        return defer::succeed();
    }
    const Deferred<void> over = shutdown_.emplace();
    sdNotify("STOPPING=1\n" + extendedTimeout(saturatedSum(options_.drainTime, options_.stopTime)));
    if (failed_) {
        stop();
    } else {
        drain();
    }
    return over;
}

void RunningApplication::drain() {
    state_ = State::draining;
    const Duration time = hurried_ ? Duration::zero() : options_.drainTime;
    timeLimit_ = reactor_.callLater(time, weakly([](RunningApplication& self) { self.endDrain(); }));
    connections_ = std::make_shared<ConnectionDrain>(
        reactor_, weakly([](RunningApplication& self) { self.later(&RunningApplication::lookWhoIsLeft); }));
    waitFor(defer::maybeDeferred([&] { return application_->drain(); }), "drain", &RunningApplication::drained);
    connections_->tell();
    if (connections_->left() == 0) return;
    const std::string text = "waiting for " + std::to_string(connections_->left()) + " connections to end";
    sdNotify("STATUS=Draining: " + text);
    runLog().info("Draining: {what}, {time} s at most; a further signal ends that", logger::field("what", text),
                  logger::field("time", inSeconds(time)));
}

void RunningApplication::drained() {
    drained_ = true;
    later(&RunningApplication::lookWhoIsLeft);
}

/// Somebody may have been accepted until all ports were closed.
void RunningApplication::lookWhoIsLeft() {
    if (state_ != State::draining) return;
    connections_->tell();
    if (drained_ && connections_->left() == 0) endDrain();
}

void RunningApplication::endDrain() {
    state_ = State::stopping;
    if (timeLimit_.active()) timeLimit_.cancel();
    const std::size_t aborted = connections_->left();
    if (!drained_) runLog().warn("The services have not drained, and are stopped");
    if (connections_->told() != 0) {
        runLog().info("Drained {drained} connections, aborted {aborted}",
                      logger::field("drained", connections_->told() - aborted), logger::field("aborted", aborted));
    }
    giveUpWaiting();
    connections_->abort();
    later(&RunningApplication::stop);  // when those have ended, and nobody who was waited for is on the stack
}

void RunningApplication::stop() {
    state_ = State::stopping;
    stopping_ = true;
    timeLimit_ = reactor_.callLater(options_.stopTime, weakly([](RunningApplication& self) {
                                        runLog().warn("The services have not stopped after {time} s",
                                                      logger::field("time", inSeconds(self.options_.stopTime)));
                                        self.finish();
                                    }));
    waitFor(defer::maybeDeferred([&] { return application_->stopService(); }), "stopService",
            &RunningApplication::finish);
}

void RunningApplication::finish() {
    if (state_ == State::stopped) return;
    state_ = State::stopped;
    if (timeLimit_.active()) timeLimit_.cancel();
    giveUpWaiting();
    watchdog_.reset();
    if (hurryTrigger_) reactor_.removeSystemEventTrigger(*std::exchange(hurryTrigger_, std::nullopt));
    shutdown_->callback();
}

/// Calls @p then when @p services has fired, whatever comes of it.
void RunningApplication::waitFor(Deferred<void> services, const char* what, void (RunningApplication::*then)()) {
    services_ = services;
    services
        .addErrback([what](const Failure& failure) {
            if (failure.check<defer::CancelledError>()) return;  // we have said so
            const std::string where = std::string(what) + " of the application";
            runLog().failure("in {where}", failure, logger::field("where", where));
        })
        .addCallback(weakly([then](RunningApplication& self) { (self.*then)(); }));
}

/// Who would still fire it hears that nobody waits: what he keeps for that may go.
void RunningApplication::giveUpWaiting() noexcept {
    try {
        const std::optional<Deferred<void>> services = std::exchange(services_, std::nullopt);
        if (services) services->cancel();
    } catch (...) {
        runLog().failure("while giving up on the services");
    }
}

// Impatience.

void RunningApplication::listenForHurry() {
    if (state_ == State::stopped) return;
    hurryTrigger_ = reactor_.addSystemEventTrigger(SystemEventPhase::during, "hurry", [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->hurry();
        return defer::succeed();
    });
}

void RunningApplication::forgetHurryLater() {
    reactor_.turn().later(weakly([](RunningApplication& self) { self.hurried_ = false; }));
}

void RunningApplication::hurry() {
    hurryTrigger_.reset();
    later(&RunningApplication::listenForHurry);  // a trigger fires once, and one added now would at once
    if (state_ == State::draining) {
        endDrain();
    } else if (stopping_) {
        finish();
    } else {
        hurried_ = true;  // the shutdown begins in the next turn, or this was no signal
        later(&RunningApplication::forgetHurryLater);
    }
}

}  // namespace torsion::service
