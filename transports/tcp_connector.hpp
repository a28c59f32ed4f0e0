#pragma once

#include <memory>
#include <string>

#include <torsion/transports/base_connector.hpp>

namespace torsion::tcp {

/// Connects over TCP (twisted.internet.tcp.Connector).
class Connector final : public BaseConnector {
public:
    Connector(Reactor& reactor, const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
              Duration timeout, const Address& bindAddress);

    Address getDestination() const override;

private:
    void begin() override;
    void stopBeginning() override;
    std::string where() const override;

    std::string host_;
    int port_;
    Address bindAddress_;
    Deferred<void> resolution_{};
    bool resolving_ = false;
};

}  // namespace torsion::tcp
