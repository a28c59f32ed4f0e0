#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <torsion/core/deferred.hpp>

namespace torsion::detail {

/// What the Deferreds of one gatherResults share, apart from their values.
///
/// The links, which lie in the children's queues, own this and the outer Deferred; the outer one's canceller owns this;
/// this only points at the children whose links are alive. So there is no circle, and children whose producers are gone
/// free all.
class Gathering {
public:
    explicit Gathering(std::size_t count) : children_(count, nullptr), remaining_(count) {}

    /// Cancels every child that has not answered. What a canceller throws is logged, and the others are cancelled too
    /// (DF-12).
    void cancel();

    void setChild(std::size_t index, Core* child) noexcept { children_[index] = child; }
    /// Counts one success. @return whether it was the last
    bool countOne() noexcept { return --remaining_ == 0; }
    bool cancelled() const noexcept { return cancelled_; }

private:
    std::vector<Core*> children_;
    std::size_t remaining_;
    bool cancelled_ = false;
};

template <class Values>
class GatheringOf : public Gathering {
public:
    using Gathering::Gathering;
    Values values;
};

/// One child's way to the whole; lies in the child's queue. @p Outer is what the whole comes to.
template <class Values, class Outer>
class GatherLink {
public:
    GatherLink(std::shared_ptr<GatheringOf<Values>> shared, Deferred<Outer> outer, std::size_t index,
               Core* child) noexcept
        : shared_(std::move(shared)), outer_(std::move(outer)), index_(index) {
        shared_->setChild(index_, child);
    }
    GatherLink(GatherLink&&) noexcept = default;
    GatherLink& operator=(GatherLink&&) = delete;
    ~GatherLink() {
        if (shared_) shared_->setChild(index_, nullptr);
    }

    std::size_t index() const noexcept { return index_; }
    Values& values() const noexcept { return shared_->values; }
    bool last() const noexcept { return shared_->countOne() && !outer_.called(); }
    const Deferred<Outer>& outer() const noexcept { return outer_; }

    /// @return what is left of the failure for the child's own end
    defer::Result<void> fail(const Failure& failure) const {
        if (!outer_.called()) {
            outer_.errback(defer::FirstError(failure, index_));
            return {};
        }
        // Nobody else will hear of this one, so it stays unhandled, unless it was asked for.
        if (shared_->cancelled()) return {};
        return failure;
    }

private:
    std::shared_ptr<GatheringOf<Values>> shared_;
    Deferred<Outer> outer_;
    std::size_t index_;
};

/// A void has a place, too, in a tuple of results.
template <class T>
using Gathered = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class Values, class Outer>
Deferred<Outer> makeOuter(const std::shared_ptr<GatheringOf<Values>>& shared) {
    return Deferred<Outer>([shared](Deferred<Outer>&) { shared->cancel(); });
}

template <std::size_t I, class Values, class Outer, class T>
void gatherOne(const std::shared_ptr<GatheringOf<Values>>& shared, const Deferred<Outer>& outer,
               const Deferred<T>& child) {
    child.addBoth([link = GatherLink<Values, Outer>(shared, outer, I, child.identity())](
                      defer::Result<T> result) -> defer::Result<void> {
        if (!result.ok()) return link.fail(result.failure());
        if constexpr (std::is_void_v<T>) {
            std::get<I>(link.values()).emplace();
        } else {
            std::get<I>(link.values()).emplace(std::move(result).value());
        }
        if (link.last()) {
            link.outer().callback(
                std::apply([](auto&... values) { return Outer(std::move(*values)...); }, link.values()));
        }
        return {};
    });
}

}  // namespace torsion::detail

namespace torsion::defer {

/// Waits for all, and gives their values in a tuple, in the order of the arguments; a void is a std::monostate there.
/// Fails at the first failure, with FirstError; later failures are logged as unhandled. Cancelling it cancels every
/// child. The children's values are claimed. (twisted.internet.defer.gatherResults)
template <class... Ts>
    requires(sizeof...(Ts) > 0)
Deferred<std::tuple<torsion::detail::Gathered<Ts>...>> gatherResults(Deferred<Ts>... children) {
    using Values = std::tuple<std::optional<torsion::detail::Gathered<Ts>>...>;
    using Outer = std::tuple<torsion::detail::Gathered<Ts>...>;
    auto shared = std::make_shared<torsion::detail::GatheringOf<Values>>(sizeof...(Ts));
    const auto outer = torsion::detail::makeOuter<Values, Outer>(shared);
    [&]<std::size_t... I>(std::index_sequence<I...>) { (torsion::detail::gatherOne<I>(shared, outer, children), ...); }
    (std::index_sequence_for<Ts...>());
    return outer;
}

/// The same for any number of one type; of none, it fires at once. Deferreds without value gather to one without value.
template <class T>
auto gatherResults(std::vector<Deferred<T>> children) {
    using Values = std::vector<std::optional<torsion::detail::Gathered<T>>>;
    using Outer = std::conditional_t<std::is_void_v<T>, void, std::vector<torsion::detail::Gathered<T>>>;
    auto shared = std::make_shared<torsion::detail::GatheringOf<Values>>(children.size());
    shared->values.resize(children.size());
    const auto outer = torsion::detail::makeOuter<Values, Outer>(shared);
    const auto fire = [](const Deferred<Outer>& whole, Values& values) {
        if constexpr (std::is_void_v<T>) {
            static_cast<void>(values);
            whole.callback();
        } else {
            Outer list;
            list.reserve(values.size());
            for (auto& value : values) list.push_back(std::move(*value));
            whole.callback(std::move(list));
        }
    };
    if (children.empty()) fire(outer, shared->values);
    for (std::size_t i = 0; i < children.size(); ++i) {
        const Deferred<T>& child = children[i];
        child.addBoth([fire, link = torsion::detail::GatherLink<Values, Outer>(shared, outer, i, child.identity())](
                          Result<T> result) -> Result<void> {
            if (!result.ok()) return link.fail(result.failure());
            if constexpr (!std::is_void_v<T>) link.values()[link.index()].emplace(std::move(result).value());
            if (link.last()) fire(link.outer(), link.values());
            return {};
        });
    }
    return outer;
}

}  // namespace torsion::defer
