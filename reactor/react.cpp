#include <torsion/reactor/react.hpp>

#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>

namespace torsion::task {

namespace {

/// How main is doing.
struct Outcome {
    bool finished = false;
    bool unwinding = false;
    int status = 0;
};

void finish(LibeventReactor& reactor, Outcome& outcome) {
    outcome.finished = true;
    // A signal may have begun the shutdown already; and main may be done before the reactor runs.
    reactor.callWhenRunning([&reactor] {
        try {
            reactor.stop();
        } catch (const ReactorNotRunning&) {
        }
    });
}

void fail(LibeventReactor& reactor, Outcome& outcome, const Failure& failure) {
    if (outcome.unwinding) return;
    if (const Exit* exit = failure.value<Exit>()) {
        outcome.status = exit->status();
    } else {
        log::err(failure, "main function encountered error");
        outcome.status = 1;
    }
    finish(reactor, outcome);
}

}  // namespace

int react(Function<Deferred<void>(Reactor&)> main) {
    Outcome outcome;
    LibeventReactor reactor;
    Deferred<void> done;
    try {
        done = main(reactor);
    } catch (...) {
        done.errback(Failure::current());
    }
    done.addCallbacks([&] { finish(reactor, outcome); },
                      [&](const Failure& failure) { fail(reactor, outcome, failure); });
    reactor.run();
    outcome.unwinding = true;
    if (!outcome.finished) done.cancel();  // so that every frame below main unwinds
    reactor.cancelForever();
    return outcome.status;
}

Deferred<void> forever() {
    LibeventReactor* const reactor = LibeventReactor::current();
    if (reactor == nullptr) throw RuntimeError("task::forever() was called without a reactor on this thread");
    Deferred<void> deferred;
    reactor->keepForever(deferred);
    return deferred;
}

}  // namespace torsion::task
