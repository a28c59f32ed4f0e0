#pragma once

#include <memory>
#include <string>

#include <torsion/core/connector.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/tcp_connection.hpp>

namespace torsion::tcp {

/// The client's side of a TCP connection, from the attempt to the loss (twisted.internet.tcp.Connector). Held by
/// the timer of its attempt, then by its connection.
class Connector final : public torsion::Connector,
                        public DescriptorListener,
                        public std::enable_shared_from_this<Connector> {
public:
    Connector(Reactor& reactor, const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
              Duration timeout, const Address& bindAddress);
    ~Connector();

    void connect() override;
    void disconnect() override;
    void stopConnecting() override;
    Address getDestination() const override;
    State state() const override { return state_; }

private:
    void readable() override {}
    void writable() override;
    void reactorGone(const Failure& reason) override;

    void resolve();
    void connectTo(const Address& address);
    std::string where() const;
    void connected();
    void failed(const Failure& reason);
    void failedLater(const Failure& reason);
    void cleanUp();
    void watchNothing();
    void ended();
    void lost(const Failure& reason);

    Reactor& reactor_;
    std::string host_;
    int port_;
    std::shared_ptr<ClientFactory> factory_;
    Duration timeout_;
    Address bindAddress_;
    State state_ = State::disconnected;
    bool factoryStarted_ = false;
    unsigned attempt_ = 0;  ///< tells what was posted for an attempt that is over by now
    DelayedCall timer_;
    Deferred<void> resolution_{};
    bool resolving_ = false;
    Socket socket_;
    Address peer_;
    std::unique_ptr<DescriptorWatch> watch_;
    std::weak_ptr<Connection> connection_;
};

}  // namespace torsion::tcp
