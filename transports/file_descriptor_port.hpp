#pragma once

#include <memory>

#include <torsion/transports/tcp_port.hpp>

namespace torsion {

/// A port on a socket that somebody else has made to listen (Twisted's Port._fromListeningDescriptor). It has a
/// duplicate of the descriptor, and closes that without a shutdown, which others who have the socket would feel.
class FileDescriptorPort final : public tcp::Port {
public:
    /// @throws UnsupportedAddressFamily, ValueError as ReactorSocket says
    FileDescriptorPort(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily,
                       std::shared_ptr<Factory> factory);

private:
    Socket open() override;
    std::string kind() const override { return "Port"; }
    std::string place() const override { return "descriptor " + std::to_string(fileDescriptor_); }

    int fileDescriptor_;  // the caller's
    Socket duplicate_;    // until open()
};

/// ReactorSocket::adoptStreamConnection.
void serveFileDescriptor(Reactor& reactor, int fileDescriptor, Address::Kind addressFamily, Factory& factory);

}  // namespace torsion
