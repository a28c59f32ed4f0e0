#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include <torsion/core/deferred.hpp>

/// What the helpers have in common that let Deferreds wait. Not for users.
namespace torsion::detail {

/// Deferreds in the order in which they came. Who cancels leaves the line.
template <class T>
class WaitingLine {
public:
    /// A new one at the end.
    Deferred<T> join() {
        std::weak_ptr<Waiting> weak = waiting_;
        Deferred<T> last([weak](Deferred<T>& cancelled) {
            if (const auto waiting = weak.lock()) std::erase(*waiting, cancelled);
        });
        waiting_->push_back(last);
        return last;
    }

    bool empty() const noexcept { return waiting_->empty(); }
    std::size_t size() const noexcept { return waiting_->size(); }

    /// Takes the first one out, to fire it.
    Deferred<T> next() {
        Deferred<T> first = std::move(waiting_->front());
        waiting_->pop_front();
        return first;
    }

private:
    using Waiting = std::deque<Deferred<T>>;
    std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

}  // namespace torsion::detail
