#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include <torsion/core/deferred_core.hpp>

namespace torsion {

template <class T>
class Deferred;

}  // namespace torsion

/// Coroutines that return a Deferred (Twisted's inlineCallbacks) and await others. Users include deferred.hpp.
///
/// The body runs at once, up to the first await of an unfired Deferred; there it suspends and its caller goes on. The
/// frame belongs to the Deferred that it awaits: it lives until that fires, or dies with it.
namespace torsion::detail {

/// Memory of frames. A mark before each lets checkFrame find broken ones.
void* allocateFrame(std::size_t size);
void freeFrame(void* frame, std::size_t size) noexcept;

/// Ends the process with advice if @p frame is not what allocateFrame returned.
void demandMark(const void* frame) noexcept;

/// g++ 12 lays a frame out wrongly when an await stands in the condition of an if, switch or loop of a coroutine
/// without a local variable at its top; better a clear end than a wild jump. clang does not, but puts some frames into
/// their caller's, where there is no mark: it is the program's compiler that counts, whichever has made the library.
inline void checkFrame([[maybe_unused]] const void* frame) noexcept {
#if !defined(__clang__)
    demandMark(frame);
#endif
}

/// The part of a coroutine's state that does not depend on its type.
class PromiseBase {
public:
    PromiseBase(const PromiseBase&) = delete;
    PromiseBase& operator=(const PromiseBase&) = delete;

    static void* operator new(std::size_t size) { return allocateFrame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { freeFrame(frame, size); }

    /// It starts at once ...
    std::suspend_never initial_suspend() const noexcept { return {}; }
    /// ... and frees itself at its end; the loop that resumed it goes on with whoever waits for the result.
    std::suspend_never final_suspend() const noexcept {
        core_->finishCoroutine();
        return {};
    }
    void unhandled_exception() { core_->slot().set(Failure::current()); }

    Core& core() const noexcept { return *core_.get(); }

protected:
    explicit PromiseBase(const TypeRecord* type) : core_(newCore(type, Site())) { core_->becomeCoroutine(); }
    ~PromiseBase() = default;

private:
    CoreRef core_;
};

/// What co_return does.
template <class T>
class ReturningPromise : public PromiseBase {
public:
    void return_value(T value) { core().slot().set(std::move(value)); }
    /// co_return of a Failure fails the Deferred without a throw.
    void return_value(Failure failure) { core().slot().set(std::move(failure)); }

protected:
    ReturningPromise() : PromiseBase(&typeRecord<T>) {}
};

template <>
class ReturningPromise<void> : public PromiseBase {
public:
    void return_void() { core().slot().setVoid(); }

protected:
    ReturningPromise() : PromiseBase(&typeRecord<void>) {}
};

template <class T>
class Promise final : public ReturningPromise<T> {
public:
    // The site comes here, not to the constructor, which would match a coroutine's own parameters (const char*, int).
    Deferred<T> get_return_object(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        checkFrame(std::coroutine_handle<Promise>::from_promise(*this).address());
        this->core().setSite(Site(file, line));
        return Deferred<T>(CoreRef(&this->core()));
    }
};

/// The state of a coroutine that may await: whatever happens while it waits is the business of the Deferred of core().
template <class P>
concept Awaiting = requires(P& promise) {
    { promise.core() } -> std::same_as<Core&>;
};

/// A suspended coroutine in the queue of what it awaits. Lies in the frame, so that waiting allocates nothing.
class AwaitNode : public Node {
public:
    AwaitNode(const AwaitNode&) = delete;
    AwaitNode& operator=(const AwaitNode&) = delete;

protected:
    AwaitNode(const Table* t, CoreRef awaited) noexcept : Node(t), owned_(std::move(awaited)), awaited_(owned_.get()) {}
    ~AwaitNode() = default;

    /// Whether the result is there, after running what may still stand before us.
    bool ready() const noexcept {
        awaited_->run();
        return awaited_->settled();
    }

    /// Puts us in the queue. The last step may destroy the frame, and us with it: when nobody else holds what we wait
    /// for.
    void suspend(std::coroutine_handle<> frame, Core& waiter) noexcept;

    void resume() noexcept {
        waiter_->setWaitingOn(nullptr);
        frame_.resume();
    }

    static void dropFrame(Node* node, Core&) noexcept {
        AwaitNode* self = static_cast<AwaitNode*>(node);
        self->waiter_->setWaitingOn(nullptr);
        self->frame_.destroy();
    }

    Core& awaited() const noexcept { return *awaited_; }

private:
    CoreRef owned_;  // until we suspend
    Core* awaited_;
    Core* waiter_ = nullptr;
    std::coroutine_handle<> frame_;
};

template <class T>
class Awaiter final : public AwaitNode {
public:
    explicit Awaiter(CoreRef awaited) noexcept : AwaitNode(&kTable, std::move(awaited)) {}

    bool await_ready() {
        if (!ready()) return false;
        take(awaited());
        return true;
    }

    // Not inlined: clang 14 would keep locals of it in the frame, which may be gone before it returns.
    template <Awaiting P>
    __attribute__((noinline)) void await_suspend(std::coroutine_handle<P> frame) noexcept {
        suspend(frame, frame.promise().core());
    }

    T await_resume() {
        if (const Failure* failure = std::get_if<Failure>(&result_)) failure->raise();
        if constexpr (!std::is_void_v<T>) return std::move(*std::get_if<Value>(&result_));
    }

private:
    struct Nothing {};
    using Value = std::conditional_t<std::is_void_v<T>, Nothing, T>;

    /// Takes the result out of the core. A failure of a Deferred<void> stays for the others that await it.
    void take(Core& core) {
        Slot& slot = core.slot();
        if (slot.failed()) {
            result_.template emplace<Failure>(slot.failure());
            if constexpr (std::is_void_v<T>) {
                core.markHandled();
            } else {
                slot.setVoid();
            }
        } else if constexpr (!std::is_void_v<T>) {
            result_.template emplace<Value>(std::move(slot.as<T>()));
            slot.setVoid();
        }
    }

    static void runAwait(Node* node, Core& core) noexcept {
        Awaiter* self = static_cast<Awaiter*>(node);
        self->take(core);
        self->resume();
    }

    static constexpr Node::Table kTable{&Awaiter::runAwait, &AwaitNode::dropFrame};

    std::variant<std::monostate, Value, Failure> result_;
};

}  // namespace torsion::detail
