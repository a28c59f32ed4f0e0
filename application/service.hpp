#pragma once

#include <memory>
#include <string>

#include <torsion/core/deferred.hpp>

namespace torsion::service {

class MultiService;

/// Something that an application starts and stops (twisted.application.service.Service). Derive, and override
/// startService and stopService; call the base. Held by std::shared_ptr. Of the reactor's thread.
class Service : public std::enable_shared_from_this<Service> {
public:
    Service() = default;
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    virtual ~Service() = default;

    /// What a parent can find it by; empty for none.
    const std::string& name() const noexcept { return name_; }
    /// @throws RuntimeError if it has a parent, which has noted the name
    void setName(std::string name);

    bool running() const noexcept { return running_; }
    MultiService* parent() const noexcept { return parent_; }

    /// What needs the rights of a privileged user, before they are dropped: all services of an application do this
    /// before any starts.
    virtual void privilegedStartService() {}

    /// Begins. What it throws comes out of the parent's startService.
    virtual void startService() { running_ = true; }

    /// Fires when it is up, and fails if it cannot be: by default at once. Asked behind startService; service::run
    /// tells the service manager that the program is ready when all services are.
    virtual Deferred<void> whenReady();

    /// The program is about to end: takes up nothing new, and goes on with what is under way. By default does nothing.
    /// @return fires when what was under way is done; stopService comes then, or when the time is up
    virtual Deferred<void> drain();

    /// Ends. @return fires when it has
    virtual Deferred<void> stopService();

private:
    friend class MultiService;

    std::string name_;
    MultiService* parent_ = nullptr;  // it owns us
    bool running_ = false;
};

}  // namespace torsion::service
