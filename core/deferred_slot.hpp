#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <torsion/core/failure.hpp>
#include <torsion/core/pool.hpp>

namespace torsion::detail {

/// What the untyped part of a Deferred must know of a type: its name, and how to move and destroy it where it is
/// stored.
struct TypeRecord {
    const std::type_info* id;
    /// Moves the stored object and ends the source; null if a copy of the bytes does it.
    void (*relocate)(void* from, void* to) noexcept;
    /// Null if there is nothing to destroy.
    void (*destroy)(void* storage) noexcept;

    bool same(const TypeRecord* other) const noexcept { return this == other || *id == *other->id; }
};

/// Values up to a std::string's size lie in the slot itself.
inline constexpr std::size_t kSlotSize = 4 * sizeof(void*);

template <class T>
inline constexpr bool kFitsSlot = sizeof(T) <= kSlotSize &&
                                  alignof(T) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<T>;

template <class T>
constexpr TypeRecord makeTypeRecord() noexcept {
    if constexpr (std::is_void_v<T>) {
        return {&typeid(void), nullptr, nullptr};
    } else if constexpr (!kFitsSlot<T>) {
        return {&typeid(T), nullptr, [](void* storage) noexcept {
                    T* boxed = *static_cast<T**>(storage);
                    if constexpr (alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
                        poolDelete(boxed);
                    } else {
                        delete boxed;
                    }
                }};
    } else if constexpr (std::is_trivially_copyable_v<T>) {
        return {&typeid(T), nullptr, nullptr};
    } else {
        return {&typeid(T),
                [](void* from, void* to) noexcept {
                    T* source = static_cast<T*>(from);
                    ::new (to) T(std::move(*source));
                    source->~T();
                },
                [](void* storage) noexcept { static_cast<T*>(storage)->~T(); }};
    }
}

/// One record a type, also across shared libraries: its address is the type's tag.
template <class T>
inline constexpr TypeRecord typeRecord __attribute__((visibility("default"))) = makeTypeRecord<T>();

/// The place in a Deferred's core for what comes out of it: nothing yet, a value of some type, or a Failure.
class Slot {
public:
    Slot() noexcept = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { clear(); }

    bool has() const noexcept { return type_ != nullptr; }
    bool failed() const noexcept { return type_ == &typeRecord<Failure>; }
    /// Whether destroying the content could run code.
    bool trivial() const noexcept { return type_ == nullptr || type_->destroy == nullptr; }

    /// The value; the caller knows that there is one of type T.
    template <class T>
    T& as() noexcept {
        if constexpr (kFitsSlot<T>) {
            return *std::launder(reinterpret_cast<T*>(storage_));
        } else {
            return **std::launder(reinterpret_cast<T**>(storage_));
        }
    }
    Failure& failure() noexcept { return as<Failure>(); }

    /// Replaces the content. @p value must not lie in this slot.
    template <class T>
    void set(T&& value) {
        using V = std::remove_cvref_t<T>;
        clear();
        if constexpr (kFitsSlot<V>) {
            ::new (static_cast<void*>(storage_)) V(std::forward<T>(value));
        } else if constexpr (alignof(V) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
            ::new (static_cast<void*>(storage_)) V*(poolNew<V>(std::forward<T>(value)));
        } else {
            ::new (static_cast<void*>(storage_)) V*(new V(std::forward<T>(value)));
        }
        type_ = &typeRecord<V>;
    }

    /// Replaces the content with the value of type void.
    void setVoid() noexcept {
        clear();
        type_ = &typeRecord<void>;
    }

    /// Moves the other's content here, which leaves it empty.
    void take(Slot& other) noexcept;

    void clear() noexcept {
        const TypeRecord* type = std::exchange(type_, nullptr);
        if (type != nullptr && type->destroy != nullptr) type->destroy(storage_);
    }

private:
    const TypeRecord* type_ = nullptr;
    alignas(std::max_align_t) std::byte storage_[kSlotSize];
};

}  // namespace torsion::detail
