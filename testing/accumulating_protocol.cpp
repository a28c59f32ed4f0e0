#include <torsion/testing/accumulating_protocol.hpp>

#include <utility>

namespace torsion::testing {

void AccumulatingProtocol::connectionMade() {
    made = true;
    if (const auto waiting = std::exchange(madeDeferred, std::nullopt)) waiting->callback();
}

void AccumulatingProtocol::connectionLost(const Failure& reason) {
    closed = true;
    closedReason = reason;
    if (const auto waiting = std::exchange(closedDeferred, std::nullopt)) waiting->callback();
}

}  // namespace torsion::testing
