#include <torsion/core/coroutine.hpp>

#include <cstdio>
#include <cstdlib>

namespace torsion::detail {

void AwaitNode::suspend(std::coroutine_handle<> frame, Core& waiter) noexcept {
    frame_ = frame;
    waiter_ = &waiter;
    waiter.setWaitingOn(awaited_);
    awaited_->append(this);
    const CoreRef last = std::move(owned_);
}

namespace {

/// Stands before a frame. As large as the strictest alignment, so that the frame is aligned too.
struct alignas(std::max_align_t) Mark {
    std::uintptr_t value;
};

std::uintptr_t markFor(const void* frame) noexcept {
    return reinterpret_cast<std::uintptr_t>(frame) ^ static_cast<std::uintptr_t>(0x746f7273696f6e21ULL);
}

}  // namespace

void* allocateFrame(std::size_t size) {
    Mark* mark = static_cast<Mark*>(poolAllocate(sizeof(Mark) + size));
    void* frame = mark + 1;
    mark->value = markFor(frame);
    return frame;
}

void freeFrame(void* frame, std::size_t size) noexcept { poolFree(static_cast<Mark*>(frame) - 1, sizeof(Mark) + size); }

void demandMark(const void* frame) noexcept {
    if ((static_cast<const Mark*>(frame) - 1)->value == markFor(frame)) return;
    std::fputs(
        "torsion: the compiler laid out a coroutine's frame wrongly (a bug of g++ 12). An await stands in the "
        "condition of an\n"
        "if, switch or loop of a coroutine without a local variable at its top. Write `auto x = co_await f();` on a "
        "line of\n"
        "its own, before the condition.\n",
        stderr);
    std::abort();
}

}  // namespace torsion::detail
