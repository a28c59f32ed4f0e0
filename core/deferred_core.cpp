#include <torsion/core/deferred_core.hpp>

#include <atomic>
#include <cstring>

#include <torsion/core/defer_errors.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion::detail {

namespace {

std::atomic<bool> debugging{false};

std::string handleName(const TypeRecord* type) { return "Deferred<" + torsion::typeName(*type->id) + ">"; }

}  // namespace

/// A loop that runs callbacks. Its root is the core that was fired; what becomes ready meanwhile lies on the stack
/// above.
struct CoreLoop {
    CoreLoop() noexcept : outer(current) { current = this; }
    CoreLoop(const CoreLoop&) = delete;
    CoreLoop& operator=(const CoreLoop&) = delete;
    ~CoreLoop() { current = outer; }

    void push(Core& core) noexcept {
        core.addReference();
        core.onStack_ = true;
        core.next_ = std::exchange(top, &core);
    }

    void pop() noexcept {
        Core* core = top;
        top = std::exchange(core->next_, nullptr);
        core->onStack_ = false;
        core->release();
    }

    void run(Core& root) noexcept {
        const CoreRef keep(&root);
        for (;;) {
            Core& core = top != nullptr ? *top : root;
            if (Node* node = core.runnable() && !core.running_ ? core.popNode() : nullptr) {
                core.running_ = true;
                node->table->run(node, core);
                core.running_ = false;
            } else if (top != nullptr) {
                pop();
            } else {
                return;
            }
        }
    }

    Core* top = nullptr;
    CoreLoop* outer;
    static constinit thread_local CoreLoop* current;
};

constinit thread_local CoreLoop* CoreLoop::current = nullptr;

/// The cores of this thread that nobody refers to any more.
struct DyingList {
    static void add(Core& core) noexcept {
        core.next_ = std::exchange(first, &core);
        if (draining) return;
        draining = true;
        while (Core* dead = first) {
            first = dead->next_;
            dead->destroyContent();
        }
        draining = false;
    }

    static constinit thread_local Core* first;
    static constinit thread_local bool draining;
};

constinit thread_local Core* DyingList::first = nullptr;
constinit thread_local bool DyingList::draining = false;

void Slot::take(Slot& other) noexcept {
    clear();
    const TypeRecord* type = std::exchange(other.type_, nullptr);
    if (type == nullptr) return;
    if (type->relocate != nullptr) {
        type->relocate(other.storage_, storage_);
    } else {
        std::memcpy(storage_, other.storage_, kSlotSize);
    }
    type_ = type;
}

std::string Site::str() const { return std::string(file != nullptr ? file : "?") + ':' + std::to_string(line); }

Core* newCore(const TypeRecord* type, Site site) { return poolNew<Core>(type, site); }

const Node::Table Core::kChainedTable{&Core::runChained, &Core::dropChained};

Core::Core(const TypeRecord* type, Site site) noexcept : Node(&kChainedTable), site_(site), first_(type), tail_(type) {}

bool Core::prepareFire(Site site) {
    if (called_) {
        if (suppress_) {
            suppress_ = false;
            return false;
        }
        std::string text = "The Deferred created at " + site_.str() + " was fired twice";
        if (firedSite_.file != nullptr) text += ", first at " + firedSite_.str() + " and now at " + site.str();
        throw defer::AlreadyCalledError(text);
    }
    if (coroutine_) {
        throw defer::AlreadyCalledError("The Deferred of the coroutine at " + site_.str() +
                                        " is fired by its body alone");
    }
    if (debugging.load(std::memory_order_relaxed)) firedSite_ = site;
    return true;
}

void Core::cancel() {
    // Down to the one at the bottom that everything waits for.
    CoreRef bottom(this);
    while (bottom->waitingOn_ != nullptr) bottom = CoreRef(bottom->waitingOn_);
    Core& core = *bottom.get();
    if (core.called_ || core.coroutine_) return;
    if (CancellerBase* canceller = std::exchange(core.canceller_, nullptr)) {
        // It may fire us, which must not destroy it while it runs.
        try {
            canceller->call(core);
        } catch (...) {
            if (core.called_) {
                canceller->dispose();
            } else {
                core.canceller_ = canceller;
            }
            throw;
        }
        canceller->dispose();
    } else {
        core.suppress_ = true;
    }
    if (core.called_) return;
    core.slot_.set(failureOf<defer::CancelledError>());
    core.fired();
}

void Core::unpause() {
    if (pauses_ == 0) throw RuntimeError("unpause() of the Deferred created at " + site_.str() + " without a pause()");
    --pauses_;
    run();
}

void Core::runLoop() noexcept {
    CoreLoop loop;
    loop.run(*this);
}

void Core::schedule() noexcept {
    if (head_ == nullptr || running_ || !runnable()) return;
    if (onStack_ || CoreLoop::current == nullptr) {
        run();  // we lie further down already: nest this once
    } else {
        CoreLoop::current->push(*this);
    }
}

void Core::waitFor(Core& inner) {
    if (&inner == this) {
        throw RuntimeError("A callback returned the Deferred it was attached to, created at " + site_.str());
    }
    handled_ = false;
    inner.run();
    if (inner.settled()) {
        slot_.take(inner.slot_);
        inner.slot_.setVoid();
        return;
    }
    slot_.clear();
    waitingOn_ = &inner;
    addReference();  // the queue's; see runChained and dropChained
    inner.append(this);
}

void Core::runChained(Node* node, Core& inner) noexcept {
    Core& self = *static_cast<Core*>(node);
    self.slot_.take(inner.slot_);
    self.handled_ = false;
    inner.slot_.setVoid();
    self.waitingOn_ = nullptr;
    self.schedule();
    self.release();
}

void Core::dropChained(Node* node, Core&) noexcept {
    Core& self = *static_cast<Core*>(node);
    self.waitingOn_ = nullptr;
    self.release();
}

void Core::finishCoroutine() noexcept { firedInLoop(); }

void Core::die() noexcept {
    if (head_ == nullptr && canceller_ == nullptr && slot_.trivial()) {
        poolDelete(this);
        return;
    }
    // Whoever is destroyed may still reach us by its waitingOn_; those references must not kill us again.
    references_ = 1U << 30U;
    DyingList::add(*this);
}

void Core::destroyContent() noexcept {
    while (Node* node = popNode()) node->table->drop(node, *this);
    if (CancellerBase* canceller = std::exchange(canceller_, nullptr)) canceller->dispose();
    if (slot_.failed() && !handled_) {
        try {
            log::critical(slot_.failure(), "Unhandled error in Deferred (created at " + site_.str() + ")");
        } catch (...) {  // no memory for a report: there is nobody left to tell
        }
    }
    poolDelete(this);
}

void Core::throwStale(const TypeRecord* handle, const TypeRecord* actual, const char* verb) const {
    throw StaleDeferred("A handle " + handleName(handle) + " was used to " + verb + " the Deferred created at " +
                        site_.str() + ", which is now a " + handleName(actual));
}

void throwEmptyHandle(const TypeRecord* type) {
    throw StaleDeferred("A handle " + handleName(type) + " was used after it had been moved from");
}

Failure timeoutFailure(std::int64_t nanoseconds) {
    return defer::TimeoutError(std::to_string(nanoseconds / 1'000'000) + " ms");
}

void setDebugging(bool on) noexcept { debugging.store(on, std::memory_order_relaxed); }

bool getDebugging() noexcept { return debugging.load(std::memory_order_relaxed); }

}  // namespace torsion::detail
