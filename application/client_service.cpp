#include <torsion/application/client_service.hpp>

#include <utility>

#include <torsion/application/connection_end.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion::service {

ClientService::ClientService(ReactorTime& clock, std::shared_ptr<StreamClientEndpoint> endpoint,
                             std::shared_ptr<Factory> factory, RetryPolicy policy, PrepareConnection prepareConnection)
    : clock_(clock),
      endpoint_(std::move(endpoint)),
      factory_(std::move(factory)),
      policy_(std::move(policy)),
      prepareConnection_(std::move(prepareConnection)) {
    if (!endpoint_ || !factory_) throw ValueError("ClientService needs an endpoint and a factory");
}

void ClientService::startService() {
    if (running()) {
        log::warn("Duplicate ClientService.startService");
        return;
    }
    Service::startService();
    if (state_ == State::stopped) {
        failures_ = 0;
        connect();
    } else if (state_ == State::stopping) {
        state_ = State::restarting;
    }
}

void ClientService::connect() {
    state_ = State::connecting;
    const auto self = std::static_pointer_cast<ClientService>(shared_from_this());
    const auto done = std::make_shared<bool>(false);
    const Deferred<void> attempt =
        endpoint_->connectFactory(factory_)
            .addCallback([self](std::shared_ptr<Protocol> protocol) {
                self->protocol_ = protocol;
                auto prepared = self->prepareConnection_ ? self->prepareConnection_(protocol) : defer::succeed();
                return protocol->scope().watch(std::move(prepared)).addCallback([protocol] { return protocol; });
            })
            .addCallbacks([self](const std::shared_ptr<Protocol>& protocol) { self->connected(protocol); },
                          [self](const Failure& failure) { self->failed(failure); })
            .addCallback([done] { *done = true; });
    if (!*done) attempt_ = attempt;  // or it came out before this
}

void ClientService::connected(const std::shared_ptr<Protocol>& protocol) {
    attempt_.reset();
    failures_ = 0;
    if (!protocol->connected()) return lost();  // it ended while it was prepared
    whenConnectionEnds(clock_, protocol, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<ClientService&>(*self).lost();
    });
    state_ = State::connected;
    for (const Waiting& waiting : std::exchange(waiting_, {})) {
        if (!waiting.deferred.called()) waiting.deferred.callback(std::shared_ptr<Protocol>(protocol));
    }
}

void ClientService::lost() {
    protocol_.reset();
    if (state_ == State::connected || state_ == State::connecting) {
        ++failures_;
        retryLater();
    } else {
        ended();
    }
}

void ClientService::failed(const Failure& failure) {
    attempt_.reset();
    const std::shared_ptr<Protocol> unprepared = std::exchange(protocol_, nullptr);
    if (unprepared && unprepared->connected()) unprepared->transport().loseConnection();
    if (state_ != State::connecting) return ended();
    ++failures_;
    std::vector<Waiting> remaining;
    std::vector<Deferred<std::shared_ptr<Protocol>>> over;
    for (Waiting& waiting : waiting_) {
        if (waiting.failuresLeft && --*waiting.failuresLeft == 0) {
            over.push_back(waiting.deferred);
        } else {
            remaining.push_back(std::move(waiting));
        }
    }
    waiting_ = std::move(remaining);
    retryLater();
    for (const auto& deferred : over) {
        if (!deferred.called()) deferred.errback(failure);
    }
}

void ClientService::retryLater() {
    state_ = State::waiting;
    retry_ = clock_.callLater(policy_(failures_), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<ClientService&>(*self).connect();
    });
}

Deferred<void> ClientService::stopService() {
    const auto self = shared_from_this();  // who hears of it may let go of this
    Service::stopService();
    Deferred<void> stopped = defer::succeed();
    switch (state_) {
        case State::stopped: break;
        case State::waiting:
            retry_.cancel();
            state_ = State::stopped;
            break;
        case State::connecting:
        case State::connected: {
            stopped = stopping_.emplace_back();
            const bool connecting = std::exchange(state_, State::stopping) == State::connecting;
            if (connecting && attempt_) {
                const Deferred<void> attempt = *attempt_;
                attempt.cancel();
            } else if (protocol_) {
                protocol_->transport().loseConnection();
            }
            break;
        }
        case State::restarting: state_ = State::stopping; [[fallthrough]];
        case State::stopping: stopped = stopping_.emplace_back(); break;
    }
    giveUpWaiting();
    return stopped;
}

/// What was left of a stop has happened.
void ClientService::ended() {
    const bool again = state_ == State::restarting;
    state_ = State::stopped;
    const auto self = shared_from_this();
    for (const Deferred<void>& stopped : std::exchange(stopping_, {})) stopped.callback();
    if (!again || state_ != State::stopped || !running()) return;
    failures_ = 0;
    connect();
}

void ClientService::giveUpWaiting() {
    for (const Waiting& waiting : std::exchange(waiting_, {})) {
        if (!waiting.deferred.called()) waiting.deferred.errback(failureOf<defer::CancelledError>());
    }
}

TypeError ClientService::wrongType(const Protocol& protocol, const std::type_info& wanted) {
    return TypeError("whenConnected<" + typeName(wanted) + ">() of a ClientService whose factory builds " +
                     typeName(typeid(protocol)));
}

Deferred<std::shared_ptr<Protocol>> ClientService::wait(std::optional<unsigned> failAfterFailures) {
    if (failAfterFailures == 0U) throw ValueError("failAfterFailures must be at least 1");
    if (state_ == State::connected) return defer::succeed(std::shared_ptr<Protocol>(protocol_));
    const bool goingOn = state_ == State::connecting || state_ == State::waiting || state_ == State::restarting;
    if (!goingOn) return defer::fail<std::shared_ptr<Protocol>>(failureOf<defer::CancelledError>());
    waiting_.push_back({Deferred<std::shared_ptr<Protocol>>(), failAfterFailures});
    return waiting_.back().deferred;
}

}  // namespace torsion::service
