#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <torsion/core/deferred_slot.hpp>

/// The part of a Deferred that does not know its types. Users want deferred.hpp.
namespace torsion::detail {

class Core;

/// Something that waits in a Deferred's queue: a pair of callbacks, a coroutine, or another Deferred.
struct Node {
    struct Table {
        /// Consumes the node: acts on the core's result, which is there, and disposes of the node.
        void (*run)(Node*, Core&) noexcept;
        /// Disposes of the node because the core dies before its turn came.
        void (*drop)(Node*, Core&) noexcept;
    };

    explicit Node(const Table* t) noexcept : table(t) {}

    const Table* table;
    Node* next = nullptr;
};

/// The canceller given to a Deferred's constructor.
class CancellerBase {
public:
    virtual void call(Core& core) = 0;
    /// Ends an object that the pool owns.
    virtual void dispose() noexcept = 0;

protected:
    ~CancellerBase() = default;
};

/// A place in a source file.
struct Site {
    const char* file = nullptr;
    int line = 0;

    constexpr Site() noexcept = default;
    constexpr Site(const char* f, int l) noexcept : file(f), line(l) {}
    std::string str() const;
};

/// The shared state of a Deferred. Intrusively counted by CoreRef, never atomic: it belongs to one thread.
///
/// Three rules keep the stack flat and the memory safe:
///  - what a running loop makes ready (a chained Deferred, a finished coroutine's) is pushed on that loop's stack, not
///  called;
///  - a core whose last reference goes is put on the thread's dying list if there is anything in it to destroy, and one
///    loop empties the list: destroying one may bring others to it, never nest;
///  - whoever waits for a core is owned by it (a chained core, a coroutine's frame), and only points back weakly.
class Core final : private Node {
public:
    Core(const TypeRecord* type, Site site) noexcept;
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;
    ~Core() = default;  // only the pool's business: references end by release()

    void addReference() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) die();
    }

    // Types.
    /// @throws StaleDeferred unless @p type is the one to fire with
    void demandFirst(const TypeRecord* type) const {
        if (type != first_ && !type->same(first_)) throwStale(type, first_, "fire");
    }
    /// @throws StaleDeferred unless @p type is what now comes out of the end
    void demandTail(const TypeRecord* type) const {
        if (type != tail_ && !type->same(tail_)) throwStale(type, tail_, "add to");
    }
    void setTail(const TypeRecord* type) noexcept { tail_ = type; }

    // Firing. A fire that was announced by prepareFire must put a result into slot() and then call fired().
    /// @return false if this firing is to be swallowed (DF-10). @throws AlreadyCalledError
    bool prepareFire(Site site);
    /// Marks as fired and runs the callbacks.
    void fired() noexcept {
        markFired();
        run();
    }
    /// The same for use by a running node: the callbacks run when that node is done, on the same loop.
    void firedInLoop() noexcept {
        markFired();
        schedule();
    }
    void cancel();
    void setCanceller(CancellerBase* canceller) noexcept { canceller_ = canceller; }

    bool called() const noexcept { return called_; }
    bool paused() const noexcept { return pauses_ > 0 || (called_ && waitingOn_ != nullptr); }
    void pause() noexcept { ++pauses_; }
    void unpause();

    // The queue.
    /// The result; meaningful to a node that runs, and to one who holds a settled() core.
    Slot& slot() noexcept { return slot_; }
    /// Whether the result is there and nobody stands in line for it.
    bool settled() const noexcept { return runnable() && head_ == nullptr && !running_; }
    void append(Node* node) noexcept {
        node->next = nullptr;
        (head_ == nullptr ? head_ : last_->next) = node;
        last_ = node;
    }
    /// Runs what can be run, unless that is going on already (DF-6).
    void run() noexcept {
        if (head_ != nullptr && !running_ && runnable()) runLoop();
    }
    /// For a running node: takes the result of @p inner, now or when it comes (DF-4, DF-5).
    void waitFor(Core& inner);
    /// The failure in the slot has reached somebody, although it also stays here for others.
    void markHandled() noexcept { handled_ = true; }

    // Room for the first callback.
    static constexpr std::size_t kInlineSize = 6 * sizeof(void*);
    void* takeInline() noexcept {
        if (inlineTaken_) return nullptr;
        inlineTaken_ = true;
        return inline_;
    }
    bool isInline(const void* block) const noexcept { return block == static_cast<const void*>(inline_); }
    void freeInline() noexcept { inlineTaken_ = false; }

    // Coroutines.
    void becomeCoroutine() noexcept { coroutine_ = true; }
    void setSite(Site site) noexcept { site_ = site; }
    void setWaitingOn(Core* other) noexcept { waitingOn_ = other; }
    /// The body is over and has left its outcome in slot().
    void finishCoroutine() noexcept;

private:
    bool runnable() const noexcept { return called_ && slot_.has() && pauses_ == 0 && waitingOn_ == nullptr; }
    void markFired() noexcept {
        called_ = true;
        if (canceller_ != nullptr) std::exchange(canceller_, nullptr)->dispose();
    }
    void runLoop() noexcept;
    void schedule() noexcept;
    Node* popNode() noexcept {
        Node* node = head_;
        if (node != nullptr) head_ = node->next;
        return node;
    }
    void die() noexcept;
    void destroyContent() noexcept;
    [[noreturn]] void throwStale(const TypeRecord* handle, const TypeRecord* actual, const char* verb) const;
    static void runChained(Node* node, Core& inner) noexcept;
    static void dropChained(Node* node, Core& inner) noexcept;
    static const Table kChainedTable;

    std::uint32_t references_ = 0;
    std::uint16_t pauses_ = 0;
    bool called_ : 1 = false;
    bool running_ : 1 = false;  // a node of ours is being run
    bool onStack_ : 1 = false;  // next_ links us into a loop's stack
    bool inlineTaken_ : 1 = false;
    bool suppress_ : 1 = false;   // cancelled without canceller: one later firing is swallowed
    bool coroutine_ : 1 = false;  // only the body fires it
    bool handled_ : 1 = false;    // the failure in the slot needs no report
    Site site_;
    Site firedSite_;  // only in debug mode
    const TypeRecord* first_;
    const TypeRecord* tail_;
    Node* head_ = nullptr;
    Node* last_ = nullptr;
    Core* waitingOn_ = nullptr;  // whose queue we stand in, as chained Deferred or as coroutine; it owns us, not we it
    Core* next_ = nullptr;       // in a loop's stack, or in the dying list
    CancellerBase* canceller_ = nullptr;
    Slot slot_;
    alignas(std::max_align_t) std::byte inline_[kInlineSize];

    friend struct CoreLoop;
    friend struct DyingList;
};

/// Makes a core, with no reference yet.
Core* newCore(const TypeRecord* type, Site site);

/// A counted reference to a core, or none.
class CoreRef {
public:
    CoreRef() noexcept = default;
    explicit CoreRef(Core* core) noexcept : core_(core) {
        if (core_ != nullptr) core_->addReference();
    }
    CoreRef(const CoreRef& other) noexcept : CoreRef(other.core_) {}
    CoreRef(CoreRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    CoreRef& operator=(CoreRef other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~CoreRef() {
        if (core_ != nullptr) core_->release();
    }

    Core* get() const noexcept { return core_; }
    Core* operator->() const noexcept { return core_; }
    explicit operator bool() const noexcept { return core_ != nullptr; }

private:
    Core* core_ = nullptr;
};

[[noreturn]] void throwEmptyHandle(const TypeRecord* type);

/// What addTimeout makes of a cancellation: a defer::TimeoutError that says how long it was.
Failure timeoutFailure(std::int64_t nanoseconds);

void setDebugging(bool on) noexcept;
bool getDebugging() noexcept;

}  // namespace torsion::detail
