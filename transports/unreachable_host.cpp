#include <torsion/transports/unreachable_host.hpp>

#include <optional>
#include <utility>

#include <torsion/core/error.hpp>

namespace torsion::endpoints::detail {

namespace {

using Attempts = std::shared_ptr<const std::vector<UnreachableHost::Attempt>>;

/// An E that also carries the attempts.
template <class E>
class With final : public E, public UnreachableHost {
public:
    With(const std::string& text, Attempts attempts)
        : E(text, torsion::detail::Exactly{}), UnreachableHost(std::move(attempts)) {}
};

std::string withoutFullStop(std::string text) {
    if (!text.empty() && text.back() == '.') text.pop_back();
    return text;
}

template <class E>
std::optional<Failure> as(const Failure& last, const std::string& detail, const Attempts& attempts) {
    if (!last.check<E>()) return std::nullopt;
    return With<E>(torsion::detail::describe(E::kText, detail), attempts);
}

/// The first of the types that @p last is of, so list derived ones first.
template <class... Types>
Failure firstOf(const Failure& last, const std::string& detail, const Attempts& attempts) {
    std::optional<Failure> made;
    static_cast<void>(((made = as<Types>(last, detail, attempts)) || ...));
    return made ? *made : With<ConnectError>(torsion::detail::describe(ConnectError::kText, detail), attempts);
}

}  // namespace

Failure unreachableHost(const std::string& target, std::vector<UnreachableHost::Attempt> list) {
    const Failure last = list.back().reason;
    std::string detail = target + " (";
    for (const UnreachableHost::Attempt& attempt : list) {
        if (&attempt != &list.front()) detail += "; ";
        detail += attempt.address.host() + ": " + withoutFullStop(attempt.reason.getErrorMessage());
    }
    detail += ')';
    const auto attempts = std::make_shared<const std::vector<UnreachableHost::Attempt>>(std::move(list));
    return firstOf<TimeoutError, UserError, ConnectBindError, UnknownHostError, NoRouteError, ConnectionRefusedError,
                   TCPTimedOutError, SSLError, ConnectingCancelledError>(last, detail, attempts);
}

}  // namespace torsion::endpoints::detail
