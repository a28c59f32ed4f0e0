#include <torsion/application/connection_drain.hpp>

#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion::service {

void ConnectionDrain::tell() {
    std::vector<std::shared_ptr<Protocol>> fresh;
    for (std::shared_ptr<Protocol>& protocol : reactor_.acceptedProtocols()) {
        if (!protocol->connected() || !left_.insert(protocol).second) continue;
        watch(protocol);
        fresh.push_back(std::move(protocol));
    }
    told_ += fresh.size();
    for (const std::shared_ptr<Protocol>& protocol : fresh) {
        DrainListener* const listener = protocol->provides<DrainListener>();
        if (listener == nullptr) continue;
        try {
            listener->draining();
        } catch (...) {
            const Failure failure = Failure::current();
            const Protocol& outermost = *protocol;
            log::err(failure, "in draining of " + typeName(typeid(outermost)));
            protocol->transport().failConnection(failure);
        }
    }
}

/// A scope ends right after connectionLost: so we hear of that without standing in the way of the data, and connections
/// need not be listed as long as nobody drains.
void ConnectionDrain::watch(const std::shared_ptr<Protocol>& protocol) {
    protocol->scope().watch(Deferred<void>([weak = weak_from_this(), raw = protocol.get()](Deferred<void>& over) {
        over.callback();
        if (const auto self = weak.lock()) self->ended(*raw);
    }));
}

void ConnectionDrain::ended(Protocol& protocol) {
    if (protocol.connected()) return;  // its own protocol has cancelled the scope: it is there until the time is up
    left_.erase(protocol.shared_from_this());
    if (left_.empty() && allGone_) allGone_();
}

void ConnectionDrain::abort() {
    allGone_ = nullptr;
    for (const std::shared_ptr<Protocol>& protocol : std::exchange(left_, {})) {
        if (protocol->connected()) protocol->transport().abortConnection();
    }
}

}  // namespace torsion::service
