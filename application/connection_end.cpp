#include <torsion/application/connection_end.hpp>

#include <utility>

namespace torsion::service {

namespace {

void lookAgain(ReactorTime& clock, std::weak_ptr<Protocol> protocol, Function<void()> ended) {
    clock.callLater(kLookAgain, [&clock, protocol = std::move(protocol), ended = std::move(ended)]() mutable {
        const auto there = protocol.lock();
        if (there && there->connected()) {
            lookAgain(clock, std::move(protocol), std::move(ended));
        } else {
            ended();
        }
    });
}

}  // namespace

/// A scope ends right after connectionLost: so we hear of that without standing in the way of the data, and connections
/// need not be listed.
void whenConnectionEnds(ReactorTime& clock, const std::shared_ptr<Protocol>& protocol, Function<void()> ended) {
    protocol->scope().watch(Deferred<void>(
        [&clock, weak = std::weak_ptr<Protocol>(protocol), ended = std::move(ended)](Deferred<void>& over) mutable {
            over.callback();
            const auto there = weak.lock();
            if (there && there->connected()) {
                lookAgain(clock, std::move(weak), std::move(ended));
            } else {
                ended();
            }
        }));
}

}  // namespace torsion::service
