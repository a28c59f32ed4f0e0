#pragma once

#include <cstddef>
#include <new>
#include <utility>

/// Memory for the small short-lived blocks of Deferreds: cores, callbacks, coroutine frames.
namespace torsion::detail {

/// A block of at least @p size bytes, aligned as operator new aligns. Blocks up to 1 KiB come from the calling thread's
/// free lists, larger ones from operator new. With AddressSanitizer or ThreadSanitizer all do, so that these see each
/// block's life.
/// @throws std::bad_alloc
void* poolAllocate(std::size_t size);

/// Gives back a block of poolAllocate, with the size that was asked for; any thread may do it.
void poolFree(void* block, std::size_t size) noexcept;

template <class T, class... Args>
T* poolNew(Args&&... args) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "over-aligned types have no place in the pool");
    void* block = poolAllocate(sizeof(T));
    try {
        return ::new (block) T(std::forward<Args>(args)...);
    } catch (...) {
        poolFree(block, sizeof(T));
        throw;
    }
}

/// @p object must have been made by poolNew of this very type.
template <class T>
void poolDelete(T* object) noexcept {
    object->~T();
    poolFree(object, sizeof(T));
}

}  // namespace torsion::detail
