#pragma once

#include <memory>
#include <string>

#include <torsion/core/connector.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion::tcp {

/// A listening TCP port (twisted.internet.tcp.Port). Keeps itself alive while it listens.
class Port final : public ListeningPort, public DescriptorListener, public std::enable_shared_from_this<Port> {
public:
    Port(Reactor& reactor, int port, std::shared_ptr<Factory> factory, int backlog, const std::string& interface);
    ~Port();

    void startListening() override;
    Deferred<void> stopListening() override;
    Address getHost() const override { return host_; }

private:
    void readable() override;
    void writable() override {}
    void reactorGone(const Failure& reason) override;

    bool acceptOne();
    bool acceptFailed(int error);
    bool shedBacklog();
    void serve(Socket socket, const Address& peer);
    void close();

    Reactor& reactor_;
    int wantedPort_;
    int backlog_;
    std::string interface_;
    std::shared_ptr<Factory> factory_;
    std::shared_ptr<Port> self_;
    Socket socket_;
    Socket reserve_;  ///< a descriptor to give up when there are no others left
    std::unique_ptr<DescriptorWatch> watch_;
    DelayedCall retry_;
    Address host_;
    int batch_;                 ///< how many to accept in one turn
    bool hostIsExact_ = false;  ///< connections have our address: no need to ask for theirs
};

}  // namespace torsion::tcp
