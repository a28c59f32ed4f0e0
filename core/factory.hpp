#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <torsion/core/address.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion {

class Connector;
template <class P>
class FactoryFor;
template <class P>
class ClientFactoryFor;

/// Makes a protocol for each connection (twisted.internet.protocol.Factory). Held by std::shared_ptr; one factory may
/// serve many ports, of one reactor.
class Factory : public std::enable_shared_from_this<Factory> {
public:
    Factory() = default;
    Factory(const Factory&) = delete;
    Factory& operator=(const Factory&) = delete;
    virtual ~Factory() = default;

    /// A factory that makes a P from (copies of) @p arguments for each connection.
    template <class P, class... Arguments>
    static std::shared_ptr<FactoryFor<P>> forProtocol(Arguments... arguments);

    /// A protocol for a connection from or to @p address, or null to refuse it. What it throws fails that connection.
    virtual std::shared_ptr<Protocol> buildProtocol(const Address& address) = 0;

    /// buildProtocol, and then the link back to this factory. For transports.
    std::shared_ptr<Protocol> build(const Address& address);

    /// A port or connector begins and ends to use this factory: counted, so that startFactory comes with the first and
    /// stopFactory with the last. An extra doStop is harmless.
    virtual void doStart();
    virtual void doStop();

    /// Called before the first port listens, after the last one stopped.
    virtual void startFactory() {}
    virtual void stopFactory() {}

    /// The ALPN names that this factory's protocols speak, in order of preference; empty for none of its own
    /// (IProtocolNegotiationFactory).
    virtual std::vector<std::string> acceptableProtocols() const { return {}; }

    /// How many ports and connectors use it now.
    int numPorts() const noexcept { return numPorts_; }

    /// Whether starting and stopping is logged. Default true.
    bool noisy = true;

    /// What the log calls it; default its type's name.
    virtual std::string logPrefix() const;

private:
    int numPorts_ = 0;
};

using ServerFactory = Factory;

/// A factory that is told how its connection attempts fare (twisted.internet.protocol.ClientFactory).
class ClientFactory : public Factory {
public:
    template <class P, class... Arguments>
    static std::shared_ptr<ClientFactoryFor<P>> forProtocol(Arguments... arguments);

    /// An attempt begins; comes before its result. The connector may be kept for connect() and disconnect().
    virtual void startedConnecting(Connector& connector) { static_cast<void>(connector); }

    /// The attempt failed. connector.connect() tries again.
    virtual void clientConnectionFailed(Connector& connector, const Failure& reason) {
        static_cast<void>(connector);
        static_cast<void>(reason);
    }

    /// For transports: @p protocol, which build() made, has its transport, and its connectionMade has just returned
    /// (@p raised is null) or thrown @p raised, for which the transport is about to fail the connection. This is how an
    /// endpoint learns of the moment (EP-1, D11) without standing between transport and protocol. A factory that wraps
    /// another passes it on, with the protocol that the other one built.
    virtual void protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) {
        static_cast<void>(protocol);
        static_cast<void>(raised);
    }

    /// The connection was made and is lost; the protocol was told before. connector.connect() makes a new one.
    virtual void clientConnectionLost(Connector& connector, const Failure& reason) {
        static_cast<void>(connector);
        static_cast<void>(reason);
    }
};

namespace detail {

/// Makes a P from stored arguments.
template <class Base, class P, class... Arguments>
class Builder final : public Base {
public:
    explicit Builder(Arguments... arguments) : arguments_(std::move(arguments)...) {}
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        return std::apply([](const Arguments&... arguments) { return std::make_shared<P>(arguments...); }, arguments_);
    }

private:
    std::tuple<Arguments...> arguments_;
};

}  // namespace detail

/// A factory whose protocols are known to be Ps, so that an endpoint's connect can give a std::shared_ptr<P>.
template <class P>
class FactoryFor : public Factory {
public:
    using ProtocolType = P;
    std::string logPrefix() const override { return typeName(typeid(P)); }
};

template <class P>
class ClientFactoryFor : public ClientFactory {
public:
    using ProtocolType = P;
    std::string logPrefix() const override { return typeName(typeid(P)); }
};

template <class P, class... Arguments>
std::shared_ptr<FactoryFor<P>> Factory::forProtocol(Arguments... arguments) {
    return std::make_shared<detail::Builder<FactoryFor<P>, P, Arguments...>>(std::move(arguments)...);
}

template <class P, class... Arguments>
std::shared_ptr<ClientFactoryFor<P>> ClientFactory::forProtocol(Arguments... arguments) {
    return std::make_shared<detail::Builder<ClientFactoryFor<P>, P, Arguments...>>(std::move(arguments)...);
}

}  // namespace torsion
