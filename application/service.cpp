#include <torsion/application/service.hpp>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>

namespace torsion::service {

void Service::setName(std::string name) {
    if (parent_ != nullptr)
        throw RuntimeError("the service '" + name_ + "' cannot change its name while it has a parent");
    name_ = std::move(name);
}

Deferred<void> Service::whenReady() { return defer::succeed(); }

Deferred<void> Service::drain() { return defer::succeed(); }

Deferred<void> Service::stopService() {
    running_ = false;
    return defer::succeed();
}

}  // namespace torsion::service
