#pragma once

#include <concepts>
#include <new>
#include <type_traits>
#include <utility>

#include <torsion/core/defer_result.hpp>
#include <torsion/core/deferred_core.hpp>

namespace torsion {

template <class T>
class Deferred;

}  // namespace torsion

/// How callbacks are called, what their return types mean, and the queue nodes that hold them.
namespace torsion::detail {

template <class R>
struct DeferredValue {
    static constexpr bool isDeferred = false;
    static constexpr bool isResult = false;
};
template <class V>
struct DeferredValue<Deferred<V>> {
    static constexpr bool isDeferred = true;
    static constexpr bool isResult = false;
    using type = V;
};
template <class V>
struct DeferredValue<defer::Result<V>> {
    static constexpr bool isDeferred = false;
    static constexpr bool isResult = true;
    using type = V;
};

template <class F>
concept TakesFailure = std::is_invocable_v<F&, const Failure&>;

/// Whether F can be called with the value of a Deferred<T>, and not only with nothing.
template <class F, class T>
struct TakesValue : std::is_invocable<F&, T> {};
template <class F>
struct TakesValue<F, void> : std::false_type {};

template <class F, class T>
decltype(auto) callWithValue(F& f, Slot& slot) {
    if constexpr (TakesValue<F, T>::value) {
        return f(std::move(slot.as<T>()));
    } else {
        static_assert(std::is_invocable_v<F&>, "a callback takes the Deferred's value, or nothing");
        return f();
    }
}

template <class F>
decltype(auto) callWithFailure(F& f, Slot& slot) {
    if constexpr (TakesFailure<F>) {
        return f(static_cast<const Failure&>(slot.failure()));
    } else {
        static_assert(std::is_invocable_v<F&>, "an errback takes the Failure, or nothing");
        return f();
    }
}

template <class T>
defer::Result<T> takeResult(Slot& slot) {
    if (slot.failed()) return defer::Result<T>(slot.failure());
    if constexpr (std::is_void_v<T>) {
        return defer::Result<void>();
    } else {
        return defer::Result<T>(std::move(slot.as<T>()));
    }
}

template <class F, class T>
decltype(auto) callWithResult(F& f, Slot& slot) {
    if constexpr (std::is_invocable_v<F&, defer::Result<T>>) {
        return f(takeResult<T>(slot));
    } else {
        static_assert(std::is_invocable_v<F&>, "what addBoth adds takes a defer::Result, or nothing");
        return f();
    }
}

template <class F, class T>
using ValueReturn = std::remove_cvref_t<decltype(callWithValue<F, T>(std::declval<F&>(), std::declval<Slot&>()))>;
template <class F>
using FailureReturn = std::remove_cvref_t<decltype(callWithFailure(std::declval<F&>(), std::declval<Slot&>()))>;
template <class F, class T>
using ResultReturn = std::remove_cvref_t<decltype(callWithResult<F, T>(std::declval<F&>(), std::declval<Slot&>()))>;

/// What a Deferred<T> becomes by a callback that returns R: a Failure says nothing of the type, so T stays.
template <class R, class T>
struct Becomes {
    using type = R;
};
template <class T>
struct Becomes<Failure, T> {
    using type = T;
};
template <class V, class T>
struct Becomes<Deferred<V>, T> {
    using type = V;
};
template <class V, class T>
struct Becomes<defer::Result<V>, T> {
    using type = V;
};

/// The type behind a pair: a side that returns nothing makes it void; else the callback's, to which the errback's must
/// convert.
template <class FromValue, class FromFailure>
using Joined = std::conditional_t<std::is_void_v<FromValue> || std::is_void_v<FromFailure>, void, FromValue>;

/// Makes the outcome of @p call the result of @p core, as a U. Whatever it throws is the caller's to catch.
template <class U, class Call>
void produce(Core& core, Call&& call) {
    using R = std::remove_cvref_t<decltype(call())>;
    Slot& slot = core.slot();
    if constexpr (std::is_void_v<R>) {
        static_assert(std::is_void_v<U>);
        call();
        slot.setVoid();
    } else if constexpr (DeferredValue<R>::isDeferred) {
        using V = typename DeferredValue<R>::type;
        if constexpr (std::is_same_v<V, U>) {
            const CoreRef inner = call().claim();
            core.waitFor(*inner.get());
        } else {
            static_assert(std::is_void_v<U>, "the callback and the errback return Deferreds of different types");
            const CoreRef inner = call().addCallback([](const V&) {}).claim();
            core.waitFor(*inner.get());
        }
    } else if constexpr (std::is_same_v<R, Failure>) {
        const Failure failure = call();  // may be a reference into the slot
        slot.set(failure);
    } else if constexpr (DeferredValue<R>::isResult) {
        R result = call();
        if (!result.ok()) {
            slot.set(result.failure());
        } else if constexpr (std::is_void_v<U>) {
            slot.setVoid();
        } else {
            slot.set(U(std::move(result).value()));
        }
    } else if constexpr (std::is_void_v<U>) {
        call();
        slot.setVoid();
    } else {
        static_assert(std::is_convertible_v<decltype(call()), U>,
                      "the errback's value does not convert to the Deferred's type");
        U value = call();
        slot.set(std::move(value));
    }
}

/// A success that passes an errback by.
template <class T, class U>
void passValue(Core& core) noexcept {
    if constexpr (std::is_void_v<U> && !std::is_void_v<T>) core.slot().setVoid();
}

template <class T, class U, class F>
struct OnValue {
    F f;
    void operator()(Core& core) {
        if (core.slot().failed()) return;
        produce<U>(core, [&]() -> decltype(auto) { return callWithValue<F, T>(f, core.slot()); });
    }
};

template <class T, class U, class F>
struct OnFailure {
    F f;
    void operator()(Core& core) {
        if (!core.slot().failed()) return passValue<T, U>(core);
        produce<U>(core, [&]() -> decltype(auto) { return callWithFailure(f, core.slot()); });
    }
};

template <class T, class U, class F, class G>
struct OnEither {
    F f;
    G g;
    void operator()(Core& core) {
        if (core.slot().failed()) {
            produce<U>(core, [&]() -> decltype(auto) { return callWithFailure(g, core.slot()); });
        } else {
            produce<U>(core, [&]() -> decltype(auto) { return callWithValue<F, T>(f, core.slot()); });
        }
    }
};

template <class T, class U, class F>
struct OnBoth {
    F f;
    void operator()(Core& core) {
        produce<U>(core, [&]() -> decltype(auto) { return callWithResult<F, T>(f, core.slot()); });
    }
};

/// What addTimeout adds: ends the timer, and leaves the result as it is unless that has cancelled.
template <class T, class Timer, class Time, class F>
struct OnTimeout {
    Timer timer;
    CoreRef timedOut;  // fired if it has
    Time timeout;
    F f;
    void operator()(Core& core) {
        if (timer.active()) timer.cancel();
        if (timedOut->called()) {
            produce<T>(core, [&]() -> decltype(auto) { return f(takeResult<T>(core.slot()), timeout); });
        }
    }
};

/// A step in a core's queue. The first lies in the core itself if it fits there, others come from the pool.
template <class Step>
struct StepNode final : Node {
    explicit StepNode(Step&& s) : Node(&kTable), step(std::move(s)) {}

    static void runStep(Node* node, Core& core) noexcept {
        StepNode* self = static_cast<StepNode*>(node);
        try {
            self->step(core);
        } catch (...) {
            core.slot().set(Failure::current());
        }
        dispose(self, core);
    }

    static void dropStep(Node* node, Core& core) noexcept { dispose(static_cast<StepNode*>(node), core); }

    static void dispose(StepNode* self, Core& core) noexcept {
        if (core.isInline(self)) {
            self->~StepNode();
            core.freeInline();
        } else {
            poolDelete(self);
        }
    }

    static constexpr Node::Table kTable{&StepNode::runStep, &StepNode::dropStep};

    Step step;
};

template <class Step>
void appendStep(Core& core, Step&& step) {
    using N = StepNode<std::remove_cvref_t<Step>>;
    Node* node = nullptr;
    if constexpr (sizeof(N) <= Core::kInlineSize && alignof(N) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<std::remove_cvref_t<Step>>) {
        if (void* place = core.takeInline()) node = ::new (place) N(std::move(step));
    }
    if (node == nullptr) node = poolNew<N>(std::move(step));
    core.append(node);
}

}  // namespace torsion::detail
