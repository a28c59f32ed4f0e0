#pragma once

// Private. Not installed.

#include <cstddef>
#include <memory>
#include <unordered_set>

#include <torsion/core/function.hpp>
#include <torsion/core/reactor.hpp>

namespace torsion::service {

/// The connections that peers have begun, on their way out: tells each that its program is about to end, and hears when
/// it is gone.
class ConnectionDrain : public std::enable_shared_from_this<ConnectionDrain> {
public:
    /// @param allGone called when the last one of those that were told has gone, from inside of its end
    ConnectionDrain(Reactor& reactor, Function<void()> allGone) : reactor_(reactor), allGone_(std::move(allGone)) {}

    /// Tells those that have not been told yet.
    void tell();

    /// How many were told, and how many of those are still there.
    std::size_t told() const noexcept { return told_; }
    std::size_t left() const noexcept { return left_.size(); }

    /// Aborts those that are left; they end in the next turn. allGone does not come any more.
    void abort();

private:
    void watch(const std::shared_ptr<Protocol>& protocol);
    void ended(const Protocol* protocol);

    Reactor& reactor_;
    Function<void()> allGone_;
    std::unordered_set<std::shared_ptr<Protocol>> left_;
    std::size_t told_ = 0;
};

}  // namespace torsion::service
