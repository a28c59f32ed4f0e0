#include <torsion/application/connection_drain.hpp>

#include <utility>
#include <vector>

#include <torsion/application/connection_end.hpp>
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
        if (listener == nullptr || !left_.contains(protocol)) continue;  // what another did may have ended it
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

void ConnectionDrain::watch(const std::shared_ptr<Protocol>& protocol) {
    whenConnectionEnds(reactor_, protocol, [weak = weak_from_this(), raw = protocol.get()] {
        if (const auto self = weak.lock()) self->ended(raw);
    });
}

void ConnectionDrain::ended(const Protocol* protocol) {
    std::erase_if(left_, [protocol](const auto& each) { return each.get() == protocol; });
    if (left_.empty() && allGone_) allGone_();
}

void ConnectionDrain::abort() {
    allGone_ = nullptr;
    for (const std::shared_ptr<Protocol>& protocol : std::exchange(left_, {})) {
        if (protocol->connected()) protocol->transport().abortConnection();
    }
}

}  // namespace torsion::service
