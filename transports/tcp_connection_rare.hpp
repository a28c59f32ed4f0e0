#pragma once

// Private to the sources of tcp::Connection.

#include <memory>
#include <optional>

#include <torsion/core/delayed_call.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/producer.hpp>
#include <torsion/transports/tcp_connection.hpp>

namespace torsion::tcp {

struct Connection::Rare {
    std::shared_ptr<TLSMemoryBIOProtocol> tls;  ///< of startTLS
    std::shared_ptr<Producer> producer;
    LossHook onLoss;
    std::optional<Failure> failReason;
    DelayedCall stallTimer;
    Duration closeTimeout = kDefaultStalledCloseTimeout;
};

}  // namespace torsion::tcp
