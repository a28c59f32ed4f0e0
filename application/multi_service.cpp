#include <torsion/application/multi_service.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/deferred_list.hpp>
#include <torsion/core/gather_results.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion::service {

namespace {

std::string nameOf(const Service& service) {
    return service.name().empty() ? "a " + typeName(typeid(service)) : "'" + service.name() + "'";
}

}  // namespace

MultiService::~MultiService() {
    for (const auto& child : services_) child->parent_ = nullptr;
}

void MultiService::addService(std::shared_ptr<Service> child) {
    if (!child) throw ValueError("addService needs a service, not null");
    if (child->parent_ != nullptr) throw RuntimeError("the service '" + child->name() + "' has a parent already");
    for (const auto& other : services_) {
        if (!child->name().empty() && other->name() == child->name()) {
            throw ValueError("there is a service called '" + child->name() + "' already");
        }
    }
    child->parent_ = this;
    services_.push_back(child);
    if (!running()) return;
    child->privilegedStartService();
    child->startService();
}

Deferred<void> MultiService::removeService(const std::shared_ptr<Service>& child) {
    const auto place = std::find(services_.begin(), services_.end(), child);
    if (place == services_.end()) throw ValueError("removeService was given a service that is no child");
    const std::shared_ptr<Service> keep = *place;
    services_.erase(place);
    keep->parent_ = nullptr;
    if (!running()) return defer::succeed();
    return defer::maybeDeferred([keep] { return keep->stopService(); }).addCallback([keep] {});
}

std::shared_ptr<Service> MultiService::getServiceNamed(std::string_view name) const {
    std::string known;
    for (const auto& child : services_) {
        if (child->name() == name) return child;
        if (!child->name().empty()) known += (known.empty() ? "" : ", ") + child->name();
    }
    throw ValueError("there is no service called '" + std::string(name) +
                     "'; there are: " + (known.empty() ? "none with a name" : known));
}

void MultiService::privilegedStartService() {
    Service::privilegedStartService();
    startAll(&Service::privilegedStartService);
}

void MultiService::startService() {
    startAll(&Service::startService);
    Service::startService();
}

/// Calls @p how of all, those too that are added meanwhile.
void MultiService::startAll(void (Service::*how)()) {
    std::unordered_set<std::shared_ptr<Service>> told;
    for (;;) {
        const auto next =
            std::find_if(services_.begin(), services_.end(), [&](const auto& child) { return !told.contains(child); });
        if (next == services_.end()) return;
        const std::shared_ptr<Service> child = *next;
        told.insert(child);
        ((*child).*how)();
    }
}

Deferred<void> MultiService::whenReady() {
    std::vector<Deferred<void>> rising;
    const auto failed = std::make_shared<bool>(false);
    for (const auto& child : std::vector(services_)) {
        rising.push_back(
            defer::maybeDeferred([child] { return child->whenReady(); }).addErrback([failed](const Failure& failure) {
                // The first failure is the whole's; those that are stopped on account of it are not worth a word.
                if (!std::exchange(*failed, true) || !failure.check<defer::CancelledError>()) failure.raise();
            }));
    }
    return defer::gatherResults(std::move(rising)).addErrback([](const Failure& failure) {
        const auto* first = failure.value<defer::FirstError>();
        (first != nullptr ? first->subFailure : failure).raise();
    });
}

Deferred<void> MultiService::drain() { return endAll(&Service::drain, "drain"); }

Deferred<void> MultiService::stopService() {
    static_cast<void>(Service::stopService());
    return endAll(&Service::stopService, "stopService");
}

/// Calls @p how of all, the last one first. @return fires when all have ended; failures are logged
Deferred<void> MultiService::endAll(Deferred<void> (Service::*how)(), const char* what) {
    std::vector<Deferred<void>> ending;
    const std::vector<std::shared_ptr<Service>> children(services_.rbegin(), services_.rend());
    for (const auto& child : children) {
        ending.push_back(
            defer::maybeDeferred([&] { return ((*child).*how)(); }).addErrback([child, what](const Failure& failure) {
                const std::string where = std::string(what) + " of " + nameOf(*child);
                if (failure.check<defer::CancelledError>()) {
                    log::warn("No longer waiting for " + where);
                } else {
                    log::err(failure, "in " + where);
                }
            }));
    }
    return defer::DeferredList(std::move(ending)).addCallback([] {});
}

}  // namespace torsion::service
