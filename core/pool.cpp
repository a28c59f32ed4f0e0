#include <torsion/core/pool.hpp>

#include <torsion/core/plain_memory.hpp>

namespace torsion::detail {

#if defined(TORSION_PLAIN_MEMORY)

void* poolAllocate(std::size_t size) { return ::operator new(size); }

void poolFree(void* block, std::size_t) noexcept { ::operator delete(block); }

#else

namespace {

constexpr std::size_t kGrain = 32;
constexpr std::size_t kLargest = 1024;
constexpr std::size_t kClasses = kLargest / kGrain;
/// What a thread may hoard of each size: enough for a busy turn, little enough to give a burst's memory back.
constexpr unsigned kMostFree = 4096;

struct FreeBlock {
    FreeBlock* next;
};

struct FreeList {
    FreeBlock* first;
    unsigned count;
};

enum class State : unsigned char { untouched, open, closed };

// Trivial on purpose: no guard to check on the way, and still there when later thread-local destructors free blocks.
constinit thread_local FreeList freeLists[kClasses] = {};
constinit thread_local State state = State::untouched;

struct Janitor {
    Janitor() noexcept { state = State::open; }
    Janitor(const Janitor&) = delete;
    Janitor& operator=(const Janitor&) = delete;
    ~Janitor() {
        state = State::closed;
        for (FreeList& list : freeLists) {
            while (FreeBlock* block = list.first) {
                list.first = block->next;
                ::operator delete(block);
            }
            list.count = 0;
        }
    }
};

/// Blocks are only kept once the thread's exit is sure to free them.
bool mayKeep() noexcept {
    if (state == State::untouched) {
        static thread_local const Janitor janitor;
        static_cast<void>(janitor);
    }
    return state == State::open;
}

std::size_t classOf(std::size_t size) noexcept { return size == 0 ? 0 : (size - 1) / kGrain; }

}  // namespace

void* poolAllocate(std::size_t size) {
    if (size > kLargest) return ::operator new(size);
    const std::size_t index = classOf(size);
    FreeList& list = freeLists[index];
    if (FreeBlock* block = list.first) {
        list.first = block->next;
        --list.count;
        return block;
    }
    return ::operator new((index + 1) * kGrain);
}

void poolFree(void* block, std::size_t size) noexcept {
    if (size <= kLargest && mayKeep()) {
        FreeList& list = freeLists[classOf(size)];
        if (list.count < kMostFree) {
            list.first = ::new (block) FreeBlock{list.first};
            ++list.count;
            return;
        }
    }
    ::operator delete(block);
}

#endif

}  // namespace torsion::detail
