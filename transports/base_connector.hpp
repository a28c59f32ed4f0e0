#pragma once

#include <memory>
#include <string>

#include <torsion/core/connector.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/tcp_connection.hpp>

namespace torsion {

/// The client's side of a connection, from the attempt to the loss (twisted.internet.base.BaseConnector). What is
/// derived from it says where to. Held by the timer of its attempt, then by its connection.
class BaseConnector : public Connector, public DescriptorListener {
public:
    void connect() final;
    void disconnect() final;
    void stopConnecting() final;
    State state() const final { return state_; }

protected:
    /// @param caller the reactor's method, for texts. @throws ValueError without a factory, or with a negative
    /// timeout
    BaseConnector(Reactor& reactor, std::shared_ptr<ClientFactory> factory, Duration timeout, const char* caller);
    ~BaseConnector();

    /// Begins an attempt: finds the address and calls connectTo, now or later, or failedLater.
    virtual void begin() = 0;
    /// Ends what begin() has under way.
    virtual void stopBeginning() {}
    /// The address of this attempt, for texts.
    virtual std::string where() const = 0;
    /// connect(2) to peer_ has failed at once.
    virtual void refused(int error) { failedLater(connectFailure(error, where())); }

    /// Connects to @p address, from @p bindAddress unless that is none.
    void connectTo(const Address& address, const Address& bindAddress = Address());
    /// Not from inside the reactor's method.
    void failedLater(const Failure& reason);

    /// A number of the attempt that is under way; 0 for none. Tells what was posted for one that is over by now.
    unsigned attempt() const noexcept { return state_ == State::connecting ? attempt_ : 0; }
    Reactor& reactor() const noexcept { return reactor_; }
    /// The address that was connected to last.
    const Address& peer() const noexcept { return peer_; }

private:
    void readable() override {}
    void writable() override;
    void reactorGone(const Failure& reason) override;

    std::shared_ptr<BaseConnector> self() { return std::static_pointer_cast<BaseConnector>(shared_from_this()); }
    void connected();
    void failed(const Failure& reason);
    void cleanUp();
    void watchNothing();
    void ended();
    void lost(const Failure& reason);

    Reactor& reactor_;
    std::shared_ptr<ClientFactory> factory_;
    Duration timeout_;
    State state_ = State::disconnected;
    bool factoryStarted_ = false;
    unsigned attempt_ = 0;
    DelayedCall timer_;
    Socket socket_;
    Address peer_;
    std::unique_ptr<DescriptorWatch> watch_;
    std::weak_ptr<tcp::Connection> connection_;
};

}  // namespace torsion
