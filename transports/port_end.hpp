#pragma once

// Private. Not installed.

#include <torsion/core/defer.hpp>
#include <torsion/core/turn.hpp>

namespace torsion::tcp {

/// Runs @p close now, and tells how that went on the next turn: what stopListening gives.
template <class Close>
Deferred<void> closeAndTell(Turn& turn, Close&& close) {
    Deferred<void> stopped;
    try {
        close();
        turn.later([stopped] { stopped.callback(); });
    } catch (...) {
        turn.later([stopped, failure = Failure::current()] { stopped.errback(failure); });
    }
    return stopped;
}

}  // namespace torsion::tcp
