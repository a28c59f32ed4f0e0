#include <torsion/transports/hostname_endpoint.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/transports/connection_race.hpp>
#include <torsion/transports/endpoint_arguments.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints {

namespace {

using Result = Deferred<std::shared_ptr<Protocol>>;

/// What a failure to look up @p destination means for one who wanted to connect.
Failure lookupFailure(const Failure& reason, const Address& destination) {
    if (reason.check<defer::CancelledError>()) return ConnectingCancelledError(destination.str());
    if (reason.check<DNSLookupError, ValueError>()) return reason;
    return DNSLookupError(quoted(destination.host()) + ": " + reason.getErrorMessage());
}

}  // namespace

HostnameEndpoint::HostnameEndpoint(Reactor& reactor, std::string host, int port, Duration timeout, Address bindAddress,
                                   Duration attemptDelay)
    : reactor_(reactor),
      host_(std::move(host)),
      port_(port),
      timeout_(timeout),
      bindAddress_(std::move(bindAddress)),
      attemptDelay_(attemptDelay) {}

Deferred<std::shared_ptr<Protocol>> HostnameEndpoint::connectFactory(std::shared_ptr<Factory> factory) {
    try {
        detail::checkClientArguments(host_, port_, timeout_);
        if (!factory) throw TypeError("an endpoint needs a factory to connect, not null");
        if (attemptDelay_ < kMinimumAttemptDelay) throw ValueError("attemptDelay is less than 10 ms");
        const Address destination = detail::destination(host_, port_);
        detail::ConnectionRace::Course course{reactor_,           destination, detail::hostAndPort(host_, port_),
                                              std::move(factory), timeout_,    bindAddress_,
                                              attemptDelay_};
        // All that is needed later goes along: this endpoint may be gone by then.
        return reactor_.nameResolver()
            .resolveHostName(host_, checkPort(port_))
            .addErrback([destination](const Failure& reason) -> Failure { return lookupFailure(reason, destination); })
            .addCallback([course = std::move(course)](const std::vector<Address>& addresses) mutable -> Result {
                if (addresses.empty())
                    throw DNSLookupError("no results for hostname lookup: " + quoted(course.destination.host()));
                return detail::ConnectionRace::run(std::move(course), detail::interleaved(addresses));
            });
    } catch (...) {
        return defer::fail<std::shared_ptr<Protocol>>();
    }
}

std::string HostnameEndpoint::str() const { return "<HostnameEndpoint " + detail::hostAndPort(host_, port_) + '>'; }

}  // namespace torsion::endpoints
