#pragma once

#include <coroutine>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <torsion/core/deferred.hpp>
#include <torsion/core/error.hpp>

namespace torsion {

template <class T>
class AsyncGenerator;

namespace detail {

/// The state of a generator's body. It runs only inside next(), and behind the awaits that follow.
template <class T>
class GeneratorPromise {
public:
    using Item = std::optional<T>;

    GeneratorPromise() noexcept = default;
    GeneratorPromise(const GeneratorPromise&) = delete;
    GeneratorPromise& operator=(const GeneratorPromise&) = delete;
    ~GeneratorPromise() {
        if (owner_ != nullptr) owner_->frame_ = nullptr;
    }

    static void* operator new(std::size_t size) { return allocateFrame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { freeFrame(frame, size); }

    AsyncGenerator<T> get_return_object(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        const auto frame = std::coroutine_handle<GeneratorPromise>::from_promise(*this);
        checkFrame(frame.address());
        site_ = Site(file, line);
        return AsyncGenerator<T>(frame);
    }

    /// It begins at the first next().
    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// Ends the frame, or leaves it to its owner.
    struct Yielded {
        bool await_ready() const noexcept { return false; }
        // Not inlined: clang 14 would keep locals of it in the frame, which may be gone before it returns.
        __attribute__((noinline)) void await_suspend(std::coroutine_handle<GeneratorPromise> frame) const noexcept {
            const CoreRef item = std::move(frame.promise().pending_);
            if (frame.promise().owner_ == nullptr) frame.destroy();
            item->finishCoroutine();
        }
        void await_resume() const noexcept {}
    };

    Yielded yield_value(T value) {
        core().slot().set(Item(std::move(value)));
        return {};
    }

    void return_void() { core().slot().set(Item()); }
    void unhandled_exception() { core().slot().set(Failure::current()); }
    std::suspend_never final_suspend() noexcept {
        // First: who hears of the end, maybe from in here, finds a generator that has finished.
        if (owner_ != nullptr) std::exchange(owner_, nullptr)->frame_ = nullptr;
        const CoreRef item = std::move(pending_);
        item->finishCoroutine();
        return {};
    }

    /// The Deferred of the item that the body works at.
    Core& core() const noexcept { return *pending_.get(); }

private:
    friend class AsyncGenerator<T>;

    AsyncGenerator<T>* owner_ = nullptr;
    CoreRef pending_;  // while next() is under way
    Site site_;
};

}  // namespace detail

/// A coroutine that gives one value after the other, and may await in between (Python's asynchronous generator).
///
///     AsyncGenerator<std::string> lines(Source& source) {
///         for (;;) {
///             auto chunk = co_await source.read();
///             if (chunk.empty()) co_return;
///             co_yield std::move(chunk);
///         }
///     }
///
///     auto all = lines(source);
///     for (;;) {
///         auto line = co_await all.next();
///         if (!line) break;
///         use(*line);
///     }
///
/// The body begins at the first next(), and stands still between a co_yield and the next(). Of one thread, as
/// Deferreds. When this object goes, so does a body that stands still, with its locals; one that awaits goes on to its
/// next co_yield first, as every coroutine goes on although nobody listens.
template <class T>
class [[nodiscard]] AsyncGenerator {
    static_assert(!std::is_reference_v<T> && !std::is_void_v<T>, "a generator gives values");

public:
    using promise_type = detail::GeneratorPromise<T>;

    AsyncGenerator(AsyncGenerator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) { own(); }
    AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
        if (this != &other) {
            leave();
            frame_ = std::exchange(other.frame_, nullptr);
            own();
        }
        return *this;
    }
    ~AsyncGenerator() { leave(); }

    /// The next value, or nothing if the body has come to its end; fails with what leaves the body, which is its end,
    /// too. Cancelling it reaches what the body awaits, and the body decides (IC-3).
    /// @throws RuntimeError while another next() is under way
    Deferred<std::optional<T>> next(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        if (!frame_) {
            Deferred<std::optional<T>> none(file, line);
            none.callback(std::nullopt, file, line);
            return none;
        }
        promise_type& body = frame_.promise();
        if (body.pending_) {
            throw RuntimeError("next() of the AsyncGenerator at " + body.site_.str() +
                               " was called while one is under way: await that first");
        }
        detail::CoreRef item(detail::newCore(&detail::typeRecord<std::optional<T>>, detail::Site(file, line)));
        item->becomeCoroutine();
        body.pending_ = item;
        frame_.resume();  // may end this object
        return Deferred<std::optional<T>>(std::move(item));
    }

    /// Whether the body has come to its end, so that next() gives nothing.
    bool finished() const noexcept { return !frame_; }

private:
    friend class detail::GeneratorPromise<T>;

    explicit AsyncGenerator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) { own(); }

    void own() noexcept {
        if (frame_) frame_.promise().owner_ = this;
    }
    void leave() noexcept {
        const auto frame = std::exchange(frame_, nullptr);  // first: the body's locals may ask this for more
        if (!frame) return;
        frame.promise().owner_ = nullptr;
        if (!frame.promise().pending_) frame.destroy();
    }

    std::coroutine_handle<promise_type> frame_;
};

}  // namespace torsion
