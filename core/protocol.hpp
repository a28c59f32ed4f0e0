#pragma once

#include <memory>

#include <torsion/core/abilities.hpp>
#include <torsion/core/bytes.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/scope.hpp>
#include <torsion/core/transport.hpp>

namespace torsion {

class Factory;

/// What to do with the octets of one connection (twisted.internet.protocol.Protocol). Derive, and override the three
/// callbacks. Always held by std::shared_ptr; made by a Factory.
///
/// Callbacks come on the reactor's thread: connectionMade, any number of dataReceived, connectionLost; never one inside
/// another. An exception that leaves one is logged, ends this connection only and becomes its reason (TR-13).
class Protocol : public std::enable_shared_from_this<Protocol> {
public:
    Protocol() noexcept = default;
    Protocol(const Protocol&) = delete;
    Protocol& operator=(const Protocol&) = delete;
    virtual ~Protocol() = default;

    /// The connection is up; with TLS, the handshake may still be under way (TLS-1).
    virtual void connectionMade() {}

    /// Octets came, at least one. @p data dies when this returns.
    virtual void dataReceived(BytesView data) { static_cast<void>(data); }

    /// The connection is gone: the last callback, exactly once after connectionMade (CL-1).
    /// @param reason ConnectionDone if all went well, otherwise what went wrong
    virtual void connectionLost(const Failure& reason) { static_cast<void>(reason); }

    /// For a transport: links this protocol to it and calls connectionMade.
    virtual void makeConnection(std::shared_ptr<Transport> transport);

    /// Gives up what was received and not yet interpreted. startTLS calls it: octets that came in the clear must not be
    /// taken for TLS's. Every protocol that buffers must override it; the others have nothing.
    virtual Bytes takeUnprocessed() { return {}; }

    /// For a wrapper: the protocol that it wraps and whose abilities count as its own; null for others.
    virtual Protocol* wrapped() const noexcept { return nullptr; }

    /// T of this protocol or of one that it wraps (HalfCloseableProtocol, HandshakeListener, ...), or null.
    template <class T>
    T* provides() {
        for (Protocol* layer = this; layer != nullptr; layer = layer->wrapped()) {
            if (T* able = dynamic_cast<T*>(layer)) return able;
        }
        return nullptr;
    }

    /// For a transport: delivers connectionLost once, cancels the scope, and lets go of what this protocol wraps. An
    /// exception from connectionLost is logged and stays here.
    void deliverConnectionLost(const Failure& reason) noexcept;

    /// What to write to. Before makeConnection, a transport whose methods throw NotConnected.
    Transport& transport() const noexcept { return *transport_; }

    /// The same as a shared pointer, for registering it as a producer elsewhere.
    const std::shared_ptr<Transport>& transportHandle() const noexcept { return transport_; }

    /// True between connectionMade and connectionLost.
    bool connected() const noexcept { return connected_; }

    /// The factory that built this protocol; null if none did.
    const std::shared_ptr<Factory>& factory() const noexcept { return factory_; }
    void setFactory(std::shared_ptr<Factory> factory) noexcept { factory_ = std::move(factory); }

    /// Timers and Deferreds that end with the connection.
    Scope& scope() noexcept { return scope_; }

protected:
    /// For wrappers: changes what this protocol writes to.
    void setTransport(std::shared_ptr<Transport> transport) noexcept { transport_ = std::move(transport); }

    /// For wrappers: connected without connectionMade.
    void setConnected() noexcept { connected_ = true; }

private:
    /// For wrappers: drop the link inward; called when connectionLost has been delivered.
    virtual void releaseWrapped() noexcept {}

    static const std::shared_ptr<Transport>& notConnected() noexcept;

    std::shared_ptr<Transport> transport_ = notConnected();
    std::shared_ptr<Factory> factory_;
    [[no_unique_address]] Scope scope_;  // which ends in padding
    bool connected_ = false;
};

}  // namespace torsion
