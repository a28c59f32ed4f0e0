#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <torsion/core/connector.hpp>
#include <torsion/core/delayed_call.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion {

template <class P>
class ReconnectingClientFactoryFor;

/// A client factory that connects again when an attempt fails or a connection is lost, and waits longer each time
/// (twisted.internet.protocol.ReconnectingClientFactory, RC-1 to RC-4). For connectTCP, connectSSL, connectUNIX; who
/// has an endpoint uses service::ClientService.
///
///     auto factory = ReconnectingClientFactory::forProtocol<Chat>(reactor);
///     factory->maxDelay = 30s;
///     reactor.connectTCP("127.0.0.1", 6667, factory);
///
/// Call resetDelay() when a connection has proved to be good, or the waits go on growing (RC-2). One factory serves one
/// connector at a time. While it waits its timer holds the factory and the connector, otherwise the connector holds the
/// factory: so it lives until it gives up, or stopTrying() and the end of the connection, or the end of the reactor.
class ReconnectingClientFactory : public ClientFactory {
public:
    static constexpr Duration kDefaultInitialDelay = std::chrono::seconds(1);
    static constexpr Duration kDefaultMaximumDelay = std::chrono::hours(1);
    static constexpr double kDefaultFactor = 2.7182818284590451;
    static constexpr double kDefaultJitter = 0.119626565582;

    /// A number by chance, of the standard normal distribution: of mean 0 and deviation 1. For tests to replace.
    using StandardNormal = std::function<double()>;

    /// @param clock what to wait on, mostly the reactor; must outlive the factory's use
    explicit ReconnectingClientFactory(ReactorTime& clock, StandardNormal chance = {});

    /// A factory that makes a P from (copies of) @p arguments for each connection.
    template <class P, class... Arguments>
    static std::shared_ptr<ReconnectingClientFactoryFor<P>> forProtocol(ReactorTime& clock, Arguments... arguments);

    /// The base of the first wait, which is multiplied by factor before it is used (RC-1).
    Duration initialDelay = kDefaultInitialDelay;
    /// The most that factor makes of it; jitter may add to that.
    Duration maxDelay = kDefaultMaximumDelay;
    double factor = kDefaultFactor;
    /// The deviation of a wait from what it would be, in parts of that; 0 for none. So the clients of a server that
    /// comes back do not all come at once.
    double jitter = kDefaultJitter;
    /// How many attempts in a row may come to nothing before it gives up; none for no bound.
    std::optional<unsigned> maxRetries;
    /// Whether to connect again at all.
    bool continueTrying = true;

    /// The wait that was chosen last, and the base of the next one.
    Duration delay() const noexcept { return delay_.value_or(initialDelay); }
    /// How many times it has tried again since the start or resetDelay().
    unsigned retries() const noexcept { return retries_; }

    /// Connects again after a wait, unless it has been told to stop or has tried often enough. A wait under way begins
    /// anew. @throws ValueError if no connector has failed, or it is gone
    void retry();
    /// The same with @p connector.
    void retry(Connector& connector);

    /// Ends a wait or an attempt that is under way, and tries no more; a connection that is up stays (RC-3).
    void stopTrying();

    /// The connection is good: the next wait is the first one again. Takes back stopTrying(), too.
    void resetDelay() noexcept;

    void clientConnectionFailed(Connector& connector, const Failure& reason) override;
    void clientConnectionLost(Connector& connector, const Failure& reason) override;
    /// Remembers the connector, for stopTrying(): who overrides this calls it.
    void startedConnecting(Connector& connector) override;

private:
    Duration nextDelay();

    ReactorTime& clock_;
    StandardNormal chance_;
    std::optional<Duration> delay_;
    unsigned retries_ = 0;
    DelayedCall wait_;
    std::weak_ptr<Connector> connector_;  // it owns us
};

/// A factory whose protocols are known to be Ps.
template <class P>
class ReconnectingClientFactoryFor : public ReconnectingClientFactory {
public:
    using ProtocolType = P;
    using ReconnectingClientFactory::ReconnectingClientFactory;
    std::string logPrefix() const override { return typeName(typeid(P)); }
};

namespace detail {

/// Makes a P from stored arguments.
template <class P, class... Arguments>
class ReconnectingBuilder final : public ReconnectingClientFactoryFor<P> {
public:
    explicit ReconnectingBuilder(ReactorTime& clock, Arguments... arguments)
        : ReconnectingClientFactoryFor<P>(clock), arguments_(std::move(arguments)...) {}
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        return std::apply([](const Arguments&... arguments) { return std::make_shared<P>(arguments...); }, arguments_);
    }

private:
    std::tuple<Arguments...> arguments_;
};

}  // namespace detail

template <class P, class... Arguments>
std::shared_ptr<ReconnectingClientFactoryFor<P>> ReconnectingClientFactory::forProtocol(ReactorTime& clock,
                                                                                        Arguments... arguments) {
    return std::make_shared<detail::ReconnectingBuilder<P, Arguments...>>(clock, std::move(arguments)...);
}

}  // namespace torsion
