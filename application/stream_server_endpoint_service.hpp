#pragma once

#include <memory>
#include <optional>

#include <torsion/application/service.hpp>
#include <torsion/core/connector.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/core/factory.hpp>

namespace torsion::service {

/// Listens at an endpoint while it runs (twisted.application.internet.StreamServerEndpointService).
class StreamServerEndpointService : public Service {
public:
    StreamServerEndpointService(std::shared_ptr<StreamServerEndpoint> endpoint, std::shared_ptr<Factory> factory);

    /// Listens already here, since low ports need a privileged user. A failure is logged, or thrown from here if
    /// raiseSynchronously is set and it is there at once.
    void privilegedStartService() override;
    void startService() override;

    /// Fires when it listens.
    Deferred<void> whenReady() override;

    /// Stops listening: connections go on, and service::run waits for them.
    Deferred<void> drain() override;

    /// Stops listening, or gives up the attempt to; connections stay. @return fires when the port is closed
    Deferred<void> stopService() override;

    /// Fires with the port once it listens, and may be asked for before the start; fails if that fails, or with
    /// CancelledError if the service is stopped before.
    Deferred<std::shared_ptr<ListeningPort>> whenListening();

    bool raiseSynchronously = false;

private:
    void listen();
    Deferred<void> close();

    std::shared_ptr<StreamServerEndpoint> endpoint_;
    std::shared_ptr<Factory> factory_;
    std::optional<Deferred<void>> listening_;  ///< of an attempt, until it has come out
    std::shared_ptr<ListeningPort> port_;
    std::optional<Failure> failure_;
    std::vector<Deferred<std::shared_ptr<ListeningPort>>> waiting_;
    bool begun_ = false;
};

}  // namespace torsion::service
