#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/endpoint.hpp>
#include <torsion/core/reactor.hpp>

namespace torsion::endpoints {

/// Connects to a host by name over TCP, to whichever of its addresses answers first
/// (twisted.internet.endpoints.HostnameEndpoint; "happy eyeballs", RFC 8305).
///
/// The name is looked up once, with the reactor's resolver. The addresses are tried in the resolver's order with the
/// families taking turns, beginning with the family of the first: the first at once, the next when the one before has
/// failed, or after attemptDelay (deviation D17; Twisted keeps the order and waits for the delay in any case). Each
/// attempt has the whole timeout. The first connection wins and the other attempts are given up.
///
/// Failures, all through the Deferred: ValueError for a name that cannot be one, DNSLookupError without an address,
/// ConnectingCancelledError if cancelled, also during the look-up (Twisted: DNSLookupError then). If no address
/// answers, the error has the type of the last failure and its text lists every address with its reason;
/// value<UnreachableHost>() gives the list. An error of the application's own (NoProtocol, an exception from
/// buildProtocol or connectionMade) ends it at once: the host was reached.
class HostnameEndpoint final : public StreamClientEndpoint {
public:
    /// Twisted's; RFC 8305 recommends 250 ms.
    static constexpr Duration kDefaultAttemptDelay = std::chrono::milliseconds(300);
    /// RFC 8305, section 5: never less.
    static constexpr Duration kMinimumAttemptDelay = std::chrono::milliseconds(10);

    /// @param host a name, or a literal of either family
    /// @param timeout positive; for each attempt
    /// @param bindAddress where to connect from; none leaves that to the system
    /// @param attemptDelay how long an attempt is alone before the next one joins; at least kMinimumAttemptDelay
    HostnameEndpoint(Reactor& reactor, std::string host, int port,
                     Duration timeout = ReactorTCP::kDefaultConnectTimeout, Address bindAddress = Address(),
                     Duration attemptDelay = kDefaultAttemptDelay);

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override;

    /// "<HostnameEndpoint host:port>"
    std::string str() const;

private:
    Reactor& reactor_;
    std::string host_;
    int port_;
    Duration timeout_;
    Address bindAddress_;
    Duration attemptDelay_;
};

/// What a HostnameEndpoint adds to the error of its last attempt: all of them, in the order in which they failed.
/// Get it with failure.value<UnreachableHost>().
class UnreachableHost {
public:
    struct Attempt {
        Address address;
        Failure reason;
    };

    explicit UnreachableHost(std::shared_ptr<const std::vector<Attempt>> attempts) noexcept
        : attempts_(std::move(attempts)) {}
    virtual ~UnreachableHost() = default;

    const std::vector<Attempt>& attempts() const noexcept { return *attempts_; }

private:
    std::shared_ptr<const std::vector<Attempt>> attempts_;  // shared: copying an error must not throw
};

}  // namespace torsion::endpoints
