#include <torsion/application/stream_server_endpoint_service.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>

namespace torsion::service {

StreamServerEndpointService::StreamServerEndpointService(std::shared_ptr<StreamServerEndpoint> endpoint,
                                                         std::shared_ptr<Factory> factory)
    : endpoint_(std::move(endpoint)), factory_(std::move(factory)) {
    if (!endpoint_ || !factory_) throw ValueError("StreamServerEndpointService needs an endpoint and a factory");
}

void StreamServerEndpointService::listen() {
    if (begun_) return;
    begun_ = true;
    failure_.reset();
    const auto self = std::static_pointer_cast<StreamServerEndpointService>(shared_from_this());
    listening_ = endpoint_->listen(factory_).addCallbacks(
        [self](const std::shared_ptr<ListeningPort>& port) {
            self->listening_.reset();
            self->port_ = port;
            for (const auto& waiting : std::exchange(self->waiting_, {})) {
                if (self->port_ == port) {
                    waiting.callback(port);
                } else {  // somebody who heard of it has stopped us
                    waiting.errback(failureOf<defer::CancelledError>());
                }
            }
        },
        [self](const Failure& failure) {
            self->listening_.reset();
            self->failure_ = failure;
            if (!failure.check<defer::CancelledError>() && !self->raiseSynchronously)
                log::err(failure, "while listening");
            for (const auto& waiting : std::exchange(self->waiting_, {})) waiting.errback(failure);
        });
    if (port_ || failure_) listening_.reset();  // it came out before it was noted
    if (failure_ && raiseSynchronously) {
        begun_ = false;
        std::exchange(failure_, std::nullopt)->raise();
    }
}

void StreamServerEndpointService::privilegedStartService() {
    Service::privilegedStartService();
    listen();
}

void StreamServerEndpointService::startService() {
    listen();
    Service::startService();
}

Deferred<void> StreamServerEndpointService::whenReady() {
    return whenListening().addCallback([](const std::shared_ptr<ListeningPort>&) {});
}

Deferred<void> StreamServerEndpointService::drain() { return close(); }

Deferred<void> StreamServerEndpointService::stopService() {
    static_cast<void>(Service::stopService());
    return close();
}

Deferred<void> StreamServerEndpointService::close() {
    begun_ = false;
    if (listening_) {
        const Deferred<void> attempt = *listening_;
        attempt.cancel();
    }
    failure_.reset();
    for (const auto& waiting : std::exchange(waiting_, {})) waiting.errback(failureOf<defer::CancelledError>());
    const std::shared_ptr<ListeningPort> port = std::exchange(port_, nullptr);
    return port ? port->stopListening() : defer::succeed();
}

Deferred<std::shared_ptr<ListeningPort>> StreamServerEndpointService::whenListening() {
    if (port_) return defer::succeed(std::shared_ptr<ListeningPort>(port_));
    if (failure_) return defer::fail<std::shared_ptr<ListeningPort>>(*failure_);
    return waiting_.emplace_back();
}

}  // namespace torsion::service
