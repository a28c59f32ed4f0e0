#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/delayed_call.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/hostname_endpoint.hpp>

namespace torsion::endpoints::detail {

class ClientEndpointFactory;

/// The addresses with the families taking turns, each family in its order, beginning with the first address's
/// (RFC 8305, section 4).
std::vector<Address> interleaved(const std::vector<Address>& addresses);

/// Attempts to connect to several addresses, of which the first to succeed wins. Its attempts own it.
class ConnectionRace : public std::enable_shared_from_this<ConnectionRace> {
public:
    using Result = Deferred<std::shared_ptr<Protocol>>;

    /// What a race needs to know.
    struct Course {
        Reactor& reactor;
        Address destination;
        std::string target;  // "host:port", for texts
        std::shared_ptr<Factory> factory;
        Duration timeout;
        Address bindAddress;
        Duration attemptDelay;
    };

    /// Starts a race to @p addresses, at least one, in this order. Never throws.
    static Result run(Course course, std::vector<Address> addresses);

    /// Use run().
    ConnectionRace(Course course, std::vector<Address> addresses)
        : course_(std::move(course)), addresses_(std::move(addresses)) {}

private:
    bool over() const noexcept { return !result_.valid(); }
    void startNext();
    void succeeded(std::shared_ptr<Protocol> protocol);
    void failed(const ClientEndpointFactory* attempt, const Address& address, const Failure& reason);
    void remove(const ClientEndpointFactory* attempt) noexcept;
    Result finish();

    Course course_;
    std::vector<Address> addresses_;
    std::size_t next_ = 0;
    std::vector<std::weak_ptr<ClientEndpointFactory>> running_;  // weak, for they own us
    std::vector<UnreachableHost::Attempt> failures_;
    DelayedCall timer_;
    Result result_;  // moved out when the race is over
};

}  // namespace torsion::endpoints::detail
