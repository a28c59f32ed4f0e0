#include <torsion/application/reconnecting_client_factory.hpp>

#include <algorithm>
#include <limits>
#include <random>
#include <string>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>

namespace torsion {

namespace {

using Seconds = std::chrono::duration<double>;

/// A tenth of what a Duration holds: more cannot be added to a clock without care.
constexpr Seconds kLongestDelay = Seconds(Duration::max()) / 10;

}  // namespace

ReconnectingClientFactory::ReconnectingClientFactory(ReactorTime& clock, StandardNormal chance)
    : clock_(clock), chance_(std::move(chance)) {
    if (!chance_) {
        chance_ = [engine = std::mt19937(std::random_device()()),
                   normal = std::normal_distribution<double>()]() mutable { return normal(engine); };
    }
}

void ReconnectingClientFactory::startedConnecting(Connector& connector) {
    connector_ = connector.shared_from_this();
    if (wait_.active()) wait_.cancel();  // somebody was faster
}

void ReconnectingClientFactory::clientConnectionFailed(Connector& connector, const Failure&) {
    if (continueTrying) retry(connector);
}

void ReconnectingClientFactory::clientConnectionLost(Connector& connector, const Failure&) {
    if (continueTrying) retry(connector);
}

void ReconnectingClientFactory::retry() {
    const std::shared_ptr<Connector> connector = connector_.lock();
    if (!connector) throw ValueError("no connector to retry: none has failed, or it was dropped when this gave up");
    retry(*connector);
}

void ReconnectingClientFactory::retry(Connector& connector) {
    const auto keep = shared_from_this();  // the wait that is cancelled may hold the only references to both
    const std::shared_ptr<Connector> kept = connector.shared_from_this();
    const std::string where = connector.getDestination().str();
    connector_ = kept;
    if (!continueTrying) {
        if (noisy) log::msg("Abandoning " + where + " on explicit request");
        return;
    }
    if (maxRetries && retries_ >= *maxRetries) {
        if (noisy) log::msg("Abandoning " + where + " after " + std::to_string(retries_) + " retries");
        return;
    }
    ++retries_;
    delay_ = nextDelay();
    if (noisy) log::msg(where + " will retry in " + std::to_string(Seconds(*delay_).count()) + " seconds");
    if (wait_.active()) wait_.cancel();
    wait_ = clock_.callLater(*delay_, [keep, kept] { kept->connect(); });
}

Duration ReconnectingClientFactory::nextDelay() {
    Seconds next = std::min(Seconds(delay()) * factor, Seconds(maxDelay));
    if (jitter != 0) next += next * jitter * chance_();
    return std::chrono::duration_cast<Duration>(std::clamp(next, Seconds::zero(), kLongestDelay));
}

void ReconnectingClientFactory::stopTrying() {
    const auto keep = weak_from_this().lock();  // the wait that is cancelled may hold the only reference
    continueTrying = false;
    if (wait_.active()) wait_.cancel();
    const std::shared_ptr<Connector> connector = connector_.lock();
    if (connector && connector->state() == Connector::State::connecting) connector->stopConnecting();
}

void ReconnectingClientFactory::resetDelay() noexcept {
    delay_.reset();
    retries_ = 0;
    continueTrying = true;
}

}  // namespace torsion
