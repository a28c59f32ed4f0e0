#pragma once

#include <memory>
#include <string>

#include <torsion/transports/base_connector.hpp>

namespace torsion {

/// Connects to a UNIX socket (twisted.internet.unix.Connector).
class UNIXConnector final : public BaseConnector {
public:
    UNIXConnector(Reactor& reactor, const std::string& path, std::shared_ptr<ClientFactory> factory, Duration timeout,
                  bool checkPID);

    Address getDestination() const override { return UNIXAddress(path_); }

private:
    void begin() override;
    void stopBeginning() override;
    std::string where() const override;
    void refused(int error) override;

    std::string path_;
    bool checkPID_;
    DelayedCall again_;
};

}  // namespace torsion
