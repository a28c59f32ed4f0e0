#include <torsion/core/defer.hpp>

#include <torsion/core/log.hpp>

namespace torsion::defer {

Failure logError(const Failure& failure) {
    log::critical(failure, "A Deferred failed");
    return failure;
}

}  // namespace torsion::defer
