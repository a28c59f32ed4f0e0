#pragma once

#include <mutex>

namespace torsion::logger::detail {

/// The one lock of all logging. With one lock there is no order of locks to get wrong: publishers may be observers of
/// each other, and an observer may log. Recursive for that reason.
inline std::recursive_mutex& logMutex() {
    static std::recursive_mutex& mutex = *new std::recursive_mutex;  // never destroyed: destructors of statics may log
    return mutex;
}

using LogGuard = std::lock_guard<std::recursive_mutex>;

}  // namespace torsion::logger::detail
