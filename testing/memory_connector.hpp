#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/connector.hpp>
#include <torsion/core/delayed_call.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/testing/string_transport.hpp>

namespace torsion::testing {

/// A connection attempt of a MemoryReactor, whose outcome the test decides. It treats its factory as a real one does:
/// doStart, startedConnecting, then clientConnectionFailed, or protocolConnected and clientConnectionLost, then doStop;
/// and after the timeout it fails by itself.
class MemoryConnector final : public Connector {
public:
    /// @throws ValueError without a factory, or with a negative timeout
    MemoryConnector(std::shared_ptr<task::Clock> clock, Address destination, std::shared_ptr<ClientFactory> factory,
                    Duration timeout);
    ~MemoryConnector() override;

    // For the test.

    /// The attempt succeeds: the factory's protocol is connected to a transport that keeps what it writes, and whose
    /// loss really comes. @return that; null if there is no protocol
    /// @throws RuntimeError unless an attempt is under way
    std::shared_ptr<StringTransportWithDisconnection> succeed();

    /// The attempt succeeds: the factory's protocol is connected to @p server, in memory. @return what moves octets
    /// between them; null if the factory built no protocol
    /// @throws RuntimeError unless an attempt is under way
    std::shared_ptr<IOPump> succeedWith(std::shared_ptr<Protocol> server);

    /// The attempt fails. @throws RuntimeError unless one is under way
    void fail(const Failure& reason = failureOf<ConnectionRefusedError>());

    /// The connection is lost, in the next turn. @throws RuntimeError unless there is one
    void lose(const Failure& reason = failureOf<ConnectionLost>());

    /// The protocol of the connection, or null.
    const std::shared_ptr<Protocol>& protocol() const noexcept { return protocol_; }

    /// How often connect() was called, and stopConnecting().
    int attempts() const noexcept { return attempts_; }
    int stops() const noexcept { return stops_; }

    // As a connector.
    void connect() override;
    void disconnect() override;
    void stopConnecting() override;
    Address getDestination() const override { return destination_; }
    State state() const override { return state_; }

    /// For the reactor: whether there is an attempt that may still succeed. One that was stopped, or whose factory
    /// threw in startedConnecting, is connecting until its failure is told, and cannot.
    bool pending() const noexcept { return state_ == State::connecting && !doomed_; }

    /// For the reactor: its end is that of the attempt, and in the next turn that of a connection.
    void reactorGone(const Failure& reason);

private:
    std::shared_ptr<Protocol> begin(const char* caller);
    void established(const std::optional<Failure>& raised);
    void demandConnecting(const char* caller) const;
    void failed(const Failure& reason);
    void lost(const Failure& reason);
    void ended();

    std::shared_ptr<task::Clock> clock_;
    Address destination_;
    std::shared_ptr<ClientFactory> factory_;
    Duration timeout_;
    DelayedCall timer_;
    std::shared_ptr<Protocol> protocol_;
    std::function<void(const Failure&)> breakConnection_;
    int attempts_ = 0;
    int stops_ = 0;
    State state_ = State::disconnected;
    bool factoryStarted_ = false;
    bool doomed_ = false;  ///< the failure of this attempt is on its way
};

/// A port of a MemoryReactor: connections come to it when the test says so.
class MemoryPort final : public ListeningPort, public std::enable_shared_from_this<MemoryPort> {
public:
    MemoryPort(std::shared_ptr<task::Clock> clock, Address host, std::shared_ptr<Factory> factory);
    ~MemoryPort() override;

    // For the test.

    /// Somebody connects: a protocol of the factory is connected to a transport that keeps what it writes, and whose
    /// loss really comes. @return that, which has the protocol(); null if the factory built none
    /// @throws RuntimeError unless it listens
    std::shared_ptr<StringTransportWithDisconnection> accept(const Address& peer = IPv4Address("192.168.1.1", 54321));

    /// A protocol of the factory, for a connection in memory. Null if it built none, or threw: that is logged.
    /// @throws RuntimeError unless it listens
    std::shared_ptr<Protocol> build(const Address& peer);

    bool listening() const noexcept { return listening_; }

    /// How many connections made by accept() are there.
    std::size_t connections() const noexcept { return accepted_->size(); }

    // As a port.
    void startListening() override;
    Deferred<void> stopListening() override;
    Address getHost() const override { return host_; }

    /// For the reactor: adds the protocols of the connections made by accept().
    void addAcceptedTo(std::vector<std::shared_ptr<Protocol>>& protocols) const;

    /// For the reactor: its end is that of the port, and in the next turn that of its connections.
    void reactorGone(const Failure& reason);

private:
    struct Accepted {
        std::shared_ptr<StringTransportWithDisconnection> transport;
        std::shared_ptr<Protocol> protocol;
    };

    std::shared_ptr<task::Clock> clock_;
    Address host_;
    std::shared_ptr<Factory> factory_;
    std::shared_ptr<std::vector<Accepted>> accepted_ = std::make_shared<std::vector<Accepted>>();
    bool listening_ = false;
};

}  // namespace torsion::testing
