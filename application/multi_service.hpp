#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <torsion/application/service.hpp>

namespace torsion::service {

/// Services that start in order and stop in the reverse order, as one (twisted.application.service.MultiService).
class MultiService : public Service {
public:
    ~MultiService() override;

    /// Adds @p child at the end; if this runs, the child starts (IServiceCollection.addService).
    /// @throws ValueError for null, or if another child has its name; RuntimeError if it has a parent already
    void addService(std::shared_ptr<Service> child);

    /// Makes an S of @p arguments, and adds it: `application->addService<TimerService>(reactor, 30s, reread)`.
    /// @return the S
    template <class S, class... Args>
    std::shared_ptr<S> addService(Args&&... arguments) {
        auto child = std::make_shared<S>(std::forward<Args>(arguments)...);
        addService(std::shared_ptr<Service>(child));
        return child;
    }

    /// Takes @p child out, and stops it if this runs. @return fires when it has stopped
    /// @throws ValueError if it is no child of this
    Deferred<void> removeService(const std::shared_ptr<Service>& child);

    /// @throws KeyError-like ValueError that lists the names if there is none
    std::shared_ptr<Service> getServiceNamed(std::string_view name) const;

    const std::vector<std::shared_ptr<Service>>& services() const noexcept { return services_; }

    void privilegedStartService() override;

    /// Starts all. If one throws, those that were started before stay, and this does not run.
    void startService() override;

    /// Fires when all are up; fails as soon as one fails, with its failure.
    Deferred<void> whenReady() override;

    /// Has all drain, as stopService stops them. @return fires when all have
    Deferred<void> drain() override;

    /// Stops all, the last one first, without waiting for one before the next is told. @return fires when all have
    /// stopped; a failure is logged and holds up nobody
    Deferred<void> stopService() override;

private:
    void startAll(void (Service::*how)());
    Deferred<void> endAll(Deferred<void> (Service::*how)(), const char* what);

    std::vector<std::shared_ptr<Service>> services_;
};

}  // namespace torsion::service
