#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <torsion/core/reactor.hpp>
#include <torsion/core/resolver.hpp>
#include <torsion/reactor/thread_pool.hpp>

namespace torsion {

/// Resolves names with the system's getaddrinfo on threads of its own (twisted.internet._resolver.GAIResolver), so that
/// a reactor's pool full of slow jobs does not hold it up (Twisted shares the pool, TH-7), and a name server that does
/// not answer does not hold up the end of the program for longer than kShutdownPatience.
///
/// Literals are answered at once, inside the call. All failures are DNSLookupErrors whose text shows the name. A
/// cancelled look-up fails with defer::CancelledError; its thread's answer is dropped. If the reactor dies first the
/// Deferred never fires, and what waits for it is destroyed with the reactor's timers.
class GAIResolver final : public HostnameResolver {
public:
    /// How many names are looked up at the same time; more wait.
    static constexpr std::size_t kThreads = 10;
    /// How long a look-up may take, waiting included.
    static constexpr Duration kDefaultTimeout = std::chrono::seconds(60);
    /// How long its destructor waits for look-ups that nobody needs any more.
    static constexpr Duration kShutdownPatience = std::chrono::seconds(1);

    /// Finds the addresses of a name, in order of preference; runs on several threads at once and may block. What it
    /// throws fails the look-up.
    using Lookup = std::function<std::vector<Address>(const std::string& host, std::uint16_t port)>;

    /// @param lookup what to ask; default getaddrinfo
    explicit GAIResolver(Reactor& reactor, Lookup lookup = systemLookup);

    /// Look-ups under way are not answered any more, but for the timeout.
    ~GAIResolver() override;

    Deferred<std::vector<Address>> resolveHostName(const std::string& host, std::uint16_t port) override;

    /// For look-ups from now on. @throws ValueError unless positive
    void setTimeout(Duration timeout);
    Duration timeout() const noexcept { return timeout_; }

    /// getaddrinfo for a TCP connection, every family, without doubles. Blocks. @throws DNSLookupError
    static std::vector<Address> systemLookup(const std::string& host, std::uint16_t port);

private:
    Reactor& reactor_;
    Lookup lookup_;
    Duration timeout_ = kDefaultTimeout;
    ThreadPool pool_{0, kThreads};
};

}  // namespace torsion
