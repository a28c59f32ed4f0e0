#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <torsion/core/gather_results.hpp>

namespace torsion::defer {

/// What a DeferredList does besides; combined with |.
enum class DeferredListFlags : unsigned {
    none = 0,
    fireOnOneErrback = 1,  ///< the first failure ends the wait, as FirstError
    consumeErrors = 2,     ///< failures count as handled: the list tells of them, and the log does not
};

constexpr DeferredListFlags operator|(DeferredListFlags a, DeferredListFlags b) noexcept {
    return static_cast<DeferredListFlags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool operator&(DeferredListFlags a, DeferredListFlags b) noexcept {
    return (static_cast<unsigned>(a) & static_cast<unsigned>(b)) != 0;
}

}  // namespace torsion::defer

namespace torsion::detail {

/// Puts down how one child of a list came out. @return what is left for the child's own end
template <class Link, class Place, class T>
defer::Result<void> listOne(const Link& link, Place& place, defer::Result<T> result, defer::DeferredListFlags flags,
                            bool cancelled) {
    const std::optional<Failure> failure = result.ok() ? std::nullopt : std::optional(result.failure());
    place.emplace(std::move(result));
    if (!failure) return {};
    using defer::DeferredListFlags;
    if (flags & DeferredListFlags::fireOnOneErrback && !link.outer().called()) {
        link.outer().errback(defer::FirstError(*failure, link.index()));
    }
    if (flags & DeferredListFlags::consumeErrors || cancelled) return {};
    return *failure;
}

}  // namespace torsion::detail

namespace torsion::defer {

/// Waits for all, whatever comes of them, and gives a Result for each, in the order of the arguments
/// (twisted.internet.defer.DeferredList). Of none, it fires at once. Cancelling it cancels every child. The children's
/// values are claimed; failures stay theirs unless consumed, so they are logged besides (DF-16), but not those of a
/// cancellation of the whole.
///
/// For fireOnOneCallback there are firstResult() and race().
template <class T>
Deferred<std::vector<Result<T>>> DeferredList(std::vector<Deferred<T>> children,
                                              DeferredListFlags flags = DeferredListFlags::none) {
    using Values = std::vector<std::optional<Result<T>>>;
    using Outer = std::vector<Result<T>>;
    auto shared = std::make_shared<torsion::detail::GatheringOf<Values>>(children.size());
    shared->values.resize(children.size());
    const auto outer = torsion::detail::makeOuter<Values, Outer>(shared);
    if (children.empty()) outer.callback(Outer());
    for (std::size_t i = 0; i < children.size(); ++i) {
        const Deferred<T>& child = children[i];
        child.addBoth(
            [flags, shared, link = torsion::detail::GatherLink<Values, Outer>(shared, outer, i, child.identity())](
                Result<T> result) -> Result<void> {
                const Result<void> rest = torsion::detail::listOne(link, link.values()[link.index()], std::move(result),
                                                                   flags, shared->cancelled());
                if (link.last()) {
                    Outer list;
                    list.reserve(link.values().size());
                    for (auto& value : link.values()) list.push_back(std::move(*value));
                    link.outer().callback(std::move(list));
                }
                return rest;
            });
    }
    return outer;
}

/// The first success of several, with its position from 0; the others go on, and their values are dropped
/// (DeferredList with fireOnOneCallback). If there is none, the last failure, as FirstError. Of none it never fires.
/// With fireOnOneErrback the first failure ends the wait as well. race() is the one that cancels the others.
template <class T>
Deferred<std::pair<torsion::detail::Gathered<T>, std::size_t>> firstResult(
    std::vector<Deferred<T>> children, DeferredListFlags flags = DeferredListFlags::none) {
    using Outer = std::pair<torsion::detail::Gathered<T>, std::size_t>;
    using Values = std::tuple<>;
    auto shared = std::make_shared<torsion::detail::GatheringOf<Values>>(children.size());
    const auto outer = torsion::detail::makeOuter<Values, Outer>(shared);
    for (std::size_t i = 0; i < children.size(); ++i) {
        const Deferred<T>& child = children[i];
        child.addBoth([flags, link = torsion::detail::GatherLink<Values, Outer>(shared, outer, i, child.identity())](
                          Result<T> result) -> Result<void> {
            const bool last = link.last();
            if (link.outer().called()) return {};
            if (!result.ok()) {
                if (last || flags & DeferredListFlags::fireOnOneErrback) return link.fail(result.failure());
                return {};
            }
            if constexpr (std::is_void_v<T>) {
                link.outer().callback(Outer(std::monostate(), link.index()));
            } else {
                link.outer().callback(Outer(std::move(result).value(), link.index()));
            }
            return {};
        });
    }
    return outer;
}

}  // namespace torsion::defer
