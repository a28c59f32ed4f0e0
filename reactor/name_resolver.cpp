#include <torsion/reactor/name_resolver.hpp>

#include <netdb.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <variant>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion {

namespace {

using Addresses = std::vector<Address>;
using Answer = std::variant<Addresses, Failure>;

class Waiter;

/// Where the thread that looks up and the reactor's thread meet. The thread may post its answer only while somebody
/// waits.
struct Meeting {
    std::mutex mutex;
    Reactor* reactor = nullptr;  // null when nobody waits any more
    Waiter* waiter = nullptr;    // for the reactor's thread alone

    bool wanted() {
        const std::lock_guard lock(mutex);
        return reactor != nullptr;
    }

    void forget() {
        const std::lock_guard lock(mutex);
        reactor = nullptr;
        waiter = nullptr;
    }
};

/// The one who waits for a look-up, on the reactor's thread. The timer of the timeout owns it: so it ends, and with it
/// the thread's leave to post, when the look-up is answered, late or cancelled, and when the reactor dies.
class Waiter : public std::enable_shared_from_this<Waiter> {
public:
    Waiter(std::string host, std::shared_ptr<Meeting> meeting) : host_(std::move(host)), meeting_(std::move(meeting)) {
        meeting_->waiter = this;
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { meeting_->forget(); }

    Deferred<Addresses> start(ReactorTime& clock, Duration timeout) {
        result_ = Deferred<Addresses>([weak = weak_from_this()](Deferred<Addresses>&) {
            if (const std::shared_ptr<Waiter> self = weak.lock()) self->end();  // and so fires with CancelledError
        });
        timer_ = clock.callLater(timeout, [self = shared_from_this()] { self->timedOut(); });
        return result_;
    }

    void answered(Answer answer) {
        const std::shared_ptr<Waiter> keep = shared_from_this();
        const Deferred<Addresses> result = end();
        if (Failure* failure = std::get_if<Failure>(&answer)) {
            result.errback(failure->check<DNSLookupError>()
                               ? *failure
                               : Failure(DNSLookupError(quoted(host_) + ": " + failure->getErrorMessage())));
        } else if (Addresses& addresses = std::get<Addresses>(answer); addresses.empty()) {
            result.errback(DNSLookupError(quoted(host_) + ": it has no address"));
        } else {
            result.callback(std::move(addresses));
        }
    }

private:
    void timedOut() { end().errback(DNSLookupError(quoted(host_) + ": no answer in time")); }

    /// The handle to fire, for the last time.
    Deferred<Addresses> end() {
        meeting_->forget();
        Deferred<Addresses> result = std::move(result_);
        if (timer_.active()) timer_.cancel();  // may be the end of this object
        return result;
    }

    std::string host_;
    std::shared_ptr<Meeting> meeting_;
    Deferred<Addresses> result_;
    DelayedCall timer_;
};

/// On a thread of the pool.
void lookUp(const GAIResolver::Lookup& lookup, const std::string& host, std::uint16_t port,
            const std::shared_ptr<Meeting>& meeting) {
    if (!meeting->wanted()) return;
    Answer answer;
    try {
        answer = lookup(host, port);
    } catch (...) {
        answer = Failure::current();
    }
    const std::lock_guard lock(meeting->mutex);
    if (meeting->reactor == nullptr) return;
    meeting->reactor->callFromThread([meeting, answer = std::move(answer)]() mutable {
        if (meeting->waiter != nullptr) meeting->waiter->answered(std::move(answer));
    });
}

}  // namespace

GAIResolver::GAIResolver(Reactor& reactor, Lookup lookup) : reactor_(reactor), lookup_(std::move(lookup)) {
    pool_.start();
}

GAIResolver::~GAIResolver() { pool_.stop(kShutdownPatience); }

Deferred<Addresses> GAIResolver::resolveHostName(const std::string& host, std::uint16_t port) {
    std::string ascii;  // what DNS knows it as
    try {
        if (isIPAddress(host) || isIPv6Address(host)) return defer::succeed(Addresses{ipAddress(host, port)});
        ascii = asciiHostname(host);
    } catch (const std::exception& error) {
        return defer::fail<Addresses>(DNSLookupError(error.what()));
    }
    const auto meeting = std::make_shared<Meeting>();
    meeting->reactor = &reactor_;
    const Deferred<Addresses> result = std::make_shared<Waiter>(host, meeting)->start(reactor_, timeout_);
    try {
        pool_.callInThread([lookup = lookup_, ascii, port, meeting] { lookUp(lookup, ascii, port, meeting); });
    } catch (...) {
        meeting->waiter->answered(Failure::current());
    }
    return result;
}

void GAIResolver::setTimeout(Duration timeout) {
    if (timeout <= Duration::zero()) throw ValueError("a resolver's timeout must be positive");
    timeout_ = timeout;
}

Addresses GAIResolver::systemLookup(const std::string& host, std::uint16_t port) {
    // RFC 6761, 6.3: this name is the loopback everywhere, also where no hosts file says so, and no question for a
    // server.
    if (strcasecmp(host.c_str(), "localhost") == 0) return {IPv4Address("127.0.0.1", port), IPv6Address("::1", port)};
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const std::string service = std::to_string(port);
    errno = 0;
    if (const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &list); error != 0) {
        const std::string why = error == EAI_SYSTEM ? std::system_category().message(errno) : gai_strerror(error);
        throw DNSLookupError(quoted(host) + ": " + why);
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
    Addresses found;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        const Address address = Address::fromSockaddr(entry->ai_addr, entry->ai_addrlen);
        if (address.kind() == Address::Kind::none) continue;
        if (std::find(found.begin(), found.end(), address) == found.end()) found.push_back(address);
    }
    return found;
}

}  // namespace torsion
