#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/gather_results.hpp>

namespace torsion::defer {

/// Every one of several Deferreds failed (twisted.internet.defer.FailureGroup).
class FailureGroup : public Error {
public:
    explicit FailureGroup(std::vector<Failure> all)
        : Error(textOf(all)), failures_(std::make_shared<const std::vector<Failure>>(std::move(all))) {}

    /// All of them, in the order of the Deferreds.
    const std::vector<Failure>& failures() const noexcept { return *failures_; }

private:
    static std::string textOf(const std::vector<Failure>& all) {
        std::string text = "all of " + std::to_string(all.size()) + " failed: ";
        for (std::size_t i = 0; i < all.size(); ++i) text += (i == 0 ? "" : "; ") + all[i].str();
        return text;
    }

    std::shared_ptr<const std::vector<Failure>> failures_;  // shared: copying an error must not throw
};

}  // namespace torsion::defer

namespace torsion::detail {

/// What the runners of one race share.
class RaceState : public GatheringOf<std::vector<std::optional<Failure>>> {
public:
    explicit RaceState(std::size_t count) : GatheringOf(count) { values.resize(count); }

    bool won() const noexcept { return won_; }
    /// Cancels all but the winner.
    void win(std::size_t index) {
        won_ = true;
        setChild(index, nullptr);
        cancel();
    }

private:
    bool won_ = false;
};

}  // namespace torsion::detail

namespace torsion::defer {

/// The first success of several, with its position from 0; the others are cancelled then, before it fires
/// (twisted.internet.defer.race). If all fail, a FailureGroup. Cancelling it cancels all. The values are claimed, and
/// those of losers dropped.
/// @throws ValueError if there are none: nobody could win
template <class T>
Deferred<std::pair<std::size_t, torsion::detail::Gathered<T>>> race(std::vector<Deferred<T>> children) {
    if (children.empty()) throw ValueError("A race needs somebody who can win");
    using Outer = std::pair<std::size_t, torsion::detail::Gathered<T>>;
    using Values = std::vector<std::optional<Failure>>;
    const auto runners = std::make_shared<torsion::detail::RaceState>(children.size());
    const std::shared_ptr<torsion::detail::GatheringOf<Values>> shared = runners;
    const auto outer = torsion::detail::makeOuter<Values, Outer>(shared);
    for (std::size_t i = 0; i < children.size(); ++i) {
        const Deferred<T>& child = children[i];
        child.addBoth([runners, link = torsion::detail::GatherLink<Values, Outer>(shared, outer, i, child.identity())](
                          Result<T> result) -> Result<void> {
            if (!result.ok()) {
                link.values()[link.index()] = result.failure();
                if (!link.last() || runners->won()) return {};
                std::vector<Failure> failures;
                for (const auto& failure : link.values()) failures.push_back(*failure);
                link.outer().errback(FailureGroup(std::move(failures)));
                return {};
            }
            link.last();
            if (runners->won() || link.outer().called()) return {};
            runners->win(link.index());
            if constexpr (std::is_void_v<T>) {
                link.outer().callback(Outer(link.index(), std::monostate()));
            } else {
                link.outer().callback(Outer(link.index(), std::move(result).value()));
            }
            return {};
        });
        if (outer.called()) {  // somebody had won before the race: the rest need not run
            for (std::size_t j = i + 1; j < children.size(); ++j) {
                children[j].addErrback([] {});
                children[j].cancel();
            }
            break;
        }
    }
    return outer;
}

}  // namespace torsion::defer
