#pragma once

#include <optional>

#include <torsion/core/deferred.hpp>
#include <torsion/core/protocol.hpp>

namespace torsion::testing {

/// A protocol that collects what happens to it (twisted.internet.testing.AccumulatingProtocol).
class AccumulatingProtocol : public Protocol {
public:
    bool made = false;                    ///< connectionMade came
    Bytes data;                           ///< all that was received
    bool closed = false;                  ///< connectionLost came ...
    std::optional<Failure> closedReason;  ///< ... with this

    /// Fired at connectionMade and at connectionLost, if set by then.
    std::optional<Deferred<void>> madeDeferred;
    std::optional<Deferred<void>> closedDeferred;

    void connectionMade() override;
    void dataReceived(BytesView received) override { data.append(received); }
    void connectionLost(const Failure& reason) override;
};

}  // namespace torsion::testing
