#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/deferred.hpp>

namespace torsion::defer {

/// At most so many at once, first come first served (twisted.internet.defer.DeferredSemaphore). Of one thread, like all
/// Deferreds. When it goes, those who wait are destroyed unfired.
///
///     co_await semaphore.acquire();
///     ...
///     semaphore.release();
///
/// or semaphore.run(f, arguments...), or, for a coroutine that may end in any way,
///
///     auto held = co_await semaphore.hold();    // given back when `held` goes
class DeferredSemaphore {
    class Line;

public:
    /// @throws ValueError for no tokens
    explicit DeferredSemaphore(std::size_t tokens);

    /// Fires when there is a token for the caller: at once if one is free. Cancelling it while it waits leaves the
    /// line.
    Deferred<void> acquire();

    /// Gives a token back; the first who waits has it then, and runs from in here. @throws RuntimeError if none is out
    void release();

    /// Calls @p f with a token, and gives that back when what f returned has come out, whichever way.
    /// @return what f came to
    template <class F, class... Args>
    auto run(F f, Args... args) {
        auto held = hold();
        return held.addCallback([f = std::move(f), ... args = std::move(args)](Held token) mutable {
            return maybeDeferred(f, std::move(args)...).addBoth([token = std::move(token)](auto result) mutable {
                token.release();
                return result;
            });
        });
    }

    /// A token that gives itself back. Only moved.
    class [[nodiscard]] Held {
    public:
        Held(Held&&) noexcept = default;
        Held& operator=(Held&& other) noexcept {
            if (this != &other) {
                release();
                line_ = std::move(other.line_);
            }
            return *this;
        }
        ~Held() { release(); }

        /// Now rather than at the end. Again is harmless.
        void release() noexcept;

    private:
        friend class DeferredSemaphore;
        explicit Held(std::shared_ptr<Line> line) noexcept : line_(std::move(line)) {}
        std::shared_ptr<Line> line_;
    };

    /// As acquire().
    Deferred<Held> hold();

    std::size_t limit() const noexcept;      ///< how many tokens there are
    std::size_t available() const noexcept;  ///< how many are free
    std::size_t waiting() const noexcept;    ///< how many stand in line

private:
    std::shared_ptr<Line> line_;  // a token that is out may outlive the semaphore
};

/// One at a time (twisted.internet.defer.DeferredLock).
class DeferredLock : public DeferredSemaphore {
public:
    DeferredLock() : DeferredSemaphore(1) {}

    bool locked() const noexcept { return available() == 0; }
};

/// Something that has happened or will, for which any number may wait.
class DeferredEvent {
public:
    DeferredEvent();

    /// Fires when the event is set: at once if it is. Cancelling it stops this wait only.
    Deferred<void> wait();

    /// It has happened: all who wait run from in here, in the order in which they came.
    void set();

    /// It has not happened (any more).
    void clear() noexcept;

    bool isSet() const noexcept;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace torsion::defer
