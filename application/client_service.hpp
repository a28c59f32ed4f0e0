#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include <torsion/application/retry_policy.hpp>
#include <torsion/application/service.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor_time.hpp>

namespace torsion::service {

/// Keeps a connection up while it runs: connects, and again after a failure or a loss, ever more patiently
/// (twisted.application.internet.ClientService). To be held by std::shared_ptr.
///
///     auto client = std::make_shared<service::ClientService>(reactor, endpoint, Factory::forProtocol<Speaker>());
///     client->startService();
///     auto speaker = co_await client->whenConnected<Speaker>();
class ClientService : public Service {
public:
    /// Called with each new connection before it counts as one, such as to log in; a failure of it counts as a failed
    /// attempt, and closes the connection.
    using PrepareConnection = std::function<Deferred<void>(const std::shared_ptr<Protocol>&)>;

    ClientService(ReactorTime& clock, std::shared_ptr<StreamClientEndpoint> endpoint, std::shared_ptr<Factory> factory,
                  RetryPolicy policy = backoffPolicy(), PrepareConnection prepareConnection = {});

    /// Begins to connect; while it is stopping, it will as soon as it has stopped (RC-7).
    void startService() override;

    /// Gives up an attempt or a wait, and closes a connection. @return fires when nothing of that is left
    Deferred<void> stopService() override;

    /// Fires with the protocol of the connection: at once if there is one. Fails with CancelledError once the service
    /// is stopped, also if it never ran (RC-6).
    /// @tparam P what the factory builds: `auto speaker = co_await client->whenConnected<Speaker>();`. TypeError if it
    /// is something else
    /// @param failAfterFailures if given, fails with the reason after so many failed attempts from now on, at least 1
    template <class P = Protocol>
    Deferred<std::shared_ptr<P>> whenConnected(std::optional<unsigned> failAfterFailures = std::nullopt) {
        if constexpr (std::is_same_v<P, Protocol>) {
            return wait(failAfterFailures);
        } else {
            return wait(failAfterFailures).addCallback([](const std::shared_ptr<Protocol>& protocol) {
                auto typed = std::dynamic_pointer_cast<P>(protocol);
                if (!typed) throw wrongType(*protocol, typeid(P));
                return typed;
            });
        }
    }

private:
    enum class State { stopped, connecting, waiting, connected, stopping, restarting };

    struct Waiting {
        Deferred<std::shared_ptr<Protocol>> deferred;
        std::optional<unsigned> failuresLeft;
    };

    static TypeError wrongType(const Protocol& protocol, const std::type_info& wanted);
    Deferred<std::shared_ptr<Protocol>> wait(std::optional<unsigned> failAfterFailures);
    void connect();
    void connected(const std::shared_ptr<Protocol>& protocol);
    void lost();
    void failed(const Failure& failure);
    void retryLater();
    void ended();
    void giveUpWaiting();

    ReactorTime& clock_;
    std::shared_ptr<StreamClientEndpoint> endpoint_;
    std::shared_ptr<Factory> factory_;
    RetryPolicy policy_;
    PrepareConnection prepareConnection_;
    State state_ = State::stopped;
    unsigned failures_ = 0;  ///< in a row
    std::optional<Deferred<void>> attempt_;
    std::shared_ptr<Protocol> protocol_;  ///< of the connection, also while it is being prepared
    DelayedCall retry_;
    std::vector<Waiting> waiting_;          ///< of whenConnected()
    std::vector<Deferred<void>> stopping_;  ///< of stopService()
};

}  // namespace torsion::service
