#include <torsion/transports/connection_race.hpp>

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/transports/client_endpoint_factory.hpp>
#include <torsion/transports/endpoint_arguments.hpp>
#include <torsion/transports/unreachable_host.hpp>

namespace torsion::endpoints::detail {

std::vector<Address> interleaved(const std::vector<Address>& addresses) {
    if (addresses.empty()) return {};
    const Address::Kind firstKind = addresses.front().kind();
    std::vector<const Address*> families[2];
    for (const Address& address : addresses) families[address.kind() == firstKind ? 0 : 1].push_back(&address);
    std::vector<Address> result;
    result.reserve(addresses.size());
    for (std::size_t i = 0; result.size() < addresses.size(); ++i) {
        for (const auto& family : families) {
            if (i < family.size()) result.push_back(*family[i]);
        }
    }
    return result;
}

ConnectionRace::Result ConnectionRace::run(Course course, std::vector<Address> addresses) {
    auto race = std::make_shared<ConnectionRace>(std::move(course), std::move(addresses));
    race->result_ = Result([weak = std::weak_ptr<ConnectionRace>(race)](Result& result) {
        const std::shared_ptr<ConnectionRace> self = weak.lock();
        if (!self) return;
        const Address destination = self->course_.destination;
        static_cast<void>(self->finish());
        result.errback(ConnectingCancelledError(destination.str()));
    });
    const Result result = race->result_;
    race->startNext();
    return result;
}

void ConnectionRace::startNext() {
    const Address address = addresses_[next_++];
    const auto attempt = ClientEndpointFactory::create(course_.factory, address);
    const Result connecting = attempt->result();
    running_.push_back(attempt);
    if (next_ < addresses_.size()) {
        // Weak: while the race is on, an attempt owns it.
        timer_ = course_.reactor.callLater(course_.attemptDelay, [weak = weak_from_this()] {
            if (const std::shared_ptr<ConnectionRace> self = weak.lock(); self && !self->over()) self->startNext();
        });
    }
    connecting.addCallbacks(
        [self = shared_from_this(), raw = attempt.get()](std::shared_ptr<Protocol> protocol) {
            self->remove(raw);
            self->succeeded(std::move(protocol));
        },
        [self = shared_from_this(), raw = attempt.get(), address](const Failure& reason) {
            self->failed(raw, address, reason);
        });
    attempt->start([&](std::shared_ptr<ClientFactory> factory) {
        return course_.reactor.connectTCP(literal(address), address.port(), std::move(factory), course_.timeout,
                                          course_.bindAddress);
    });
}

void ConnectionRace::succeeded(std::shared_ptr<Protocol> protocol) {
    if (over()) return;
    finish().callback(std::move(protocol));
}

void ConnectionRace::failed(const ClientEndpointFactory* attempt, const Address& address, const Failure& reason) {
    const bool reached = attempt->reached();
    remove(attempt);
    if (over()) return;  // one that was given up
    if (reached) return finish().errback(reason);
    failures_.push_back({address, reason});
    if (next_ < addresses_.size()) {
        if (timer_.active()) timer_.cancel();
        startNext();  // D17: a failure does not wait for the beat
    } else if (running_.empty()) {
        finish().errback(unreachableHost(course_.target, std::move(failures_)));
    }
}

void ConnectionRace::remove(const ClientEndpointFactory* attempt) noexcept {
    std::erase_if(running_, [attempt](const auto& runner) { return runner.lock().get() == attempt; });
}

ConnectionRace::Result ConnectionRace::finish() {
    Result result = std::move(result_);  // from here on, over()
    if (timer_.active()) timer_.cancel();
    for (const auto& runner : std::exchange(running_, {})) {
        if (const std::shared_ptr<ClientEndpointFactory> loser = runner.lock()) loser->giveUp();
    }
    return result;
}

}  // namespace torsion::endpoints::detail
