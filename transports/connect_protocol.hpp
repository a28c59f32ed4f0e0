#pragma once

#include <memory>
#include <utility>

#include <torsion/core/endpoint.hpp>

namespace torsion::endpoints {

namespace detail {

/// Gives one protocol away, once: it keeps no link to what will link to it.
class OneShotFactory final : public Factory {
public:
    explicit OneShotFactory(std::shared_ptr<Protocol> protocol) noexcept : protocol_(std::move(protocol)) {
        noisy = false;
    }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(protocol_, nullptr); }

private:
    std::shared_ptr<Protocol> protocol_;
};

}  // namespace detail

/// Connects @p protocol itself, for when there is no need of a factory (twisted.internet.endpoints.connectProtocol).
/// @return what endpoint.connect gives: fires with that same protocol after its connectionMade has returned
template <class P>
Deferred<std::shared_ptr<P>> connectProtocol(StreamClientEndpoint& endpoint, std::shared_ptr<P> protocol) {
    return endpoint.connectFactory(std::make_shared<detail::OneShotFactory>(std::move(protocol)))
        .addCallback(
            [](std::shared_ptr<Protocol> connected) { return std::static_pointer_cast<P>(std::move(connected)); });
}

/// The same with an endpoint that need not live any longer.
template <class P>
Deferred<std::shared_ptr<P>> connectProtocol(StreamClientEndpoint&& endpoint, std::shared_ptr<P> protocol) {
    return connectProtocol(endpoint, std::move(protocol));
}

/// The same with what clientFromString returns.
template <class P>
Deferred<std::shared_ptr<P>> connectProtocol(const std::shared_ptr<StreamClientEndpoint>& endpoint,
                                             std::shared_ptr<P> protocol) {
    return connectProtocol(*endpoint, std::move(protocol));
}

}  // namespace torsion::endpoints
