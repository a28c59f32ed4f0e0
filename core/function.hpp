#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace torsion {

template <class Signature>
class Function;

/// A move-only callable with room for six words inside: std::move_only_function is C++23 and std::function must copy.
/// Calling an empty one is undefined; test it as a bool first.
template <class R, class... Args>
class Function<R(Args...)> {
public:
    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <class F, class D = std::decay_t<F>>
        requires(!std::is_same_v<D, Function> && std::is_invocable_r_v<R, D&, Args...>)
    Function(F&& callable) {
        if constexpr (fitsInside<D>) {
            ::new (static_cast<void*>(storage_)) D(std::forward<F>(callable));
            table_ = &insideTable<D>;
        } else {
            ::new (static_cast<void*>(storage_)) D*(new D(std::forward<F>(callable)));
            table_ = &heapTable<D>;
        }
    }

    Function(Function&& other) noexcept { takeFrom(other); }

    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            takeFrom(other);
        }
        return *this;
    }

    Function& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }

    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;
    ~Function() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }

    R operator()(Args... args) { return table_->call(storage_, std::forward<Args>(args)...); }

private:
    struct Table {
        R (*call)(void*, Args&&...);
        /// Null if a copy of the octets does it.
        void (*relocate)(void* from, void* to) noexcept;
        /// Null if there is nothing to do.
        void (*destroy)(void*) noexcept;
    };

    static constexpr std::size_t kInsideSize = 6 * sizeof(void*);

    template <class D>
    static constexpr bool fitsInside = sizeof(D) <= kInsideSize &&
                                       alignof(D) <= alignof(void*) && std::is_nothrow_move_constructible_v<D>;

    template <class D>
    static void relocateInside(void* from, void* to) noexcept {
        ::new (to) D(std::move(*static_cast<D*>(from)));
        static_cast<D*>(from)->~D();
    }
    template <class D>
    static void destroyInside(void* storage) noexcept {
        static_cast<D*>(storage)->~D();
    }

    template <class D>
    static constexpr Table insideTable{
        [](void* storage, Args&&... args) -> R { return (*static_cast<D*>(storage))(std::forward<Args>(args)...); },
        std::is_trivially_copyable_v<D> ? nullptr : &relocateInside<D>,
        std::is_trivially_destructible_v<D> ? nullptr : &destroyInside<D>};

    template <class D>
    static constexpr Table heapTable{
        [](void* storage, Args&&... args) -> R { return (**static_cast<D**>(storage))(std::forward<Args>(args)...); },
        nullptr, [](void* storage) noexcept { delete *static_cast<D**>(storage); }};

    /// We are empty, and @p other is afterwards.
    void takeFrom(Function& other) noexcept {
        table_ = std::exchange(other.table_, nullptr);
        if (table_ == nullptr) return;
        if (table_->relocate != nullptr) {
            table_->relocate(other.storage_, storage_);
        } else {
            std::memcpy(storage_, other.storage_, kInsideSize);
        }
    }

    void reset() noexcept {
        // Emptied first: the callable's destructor may look at us again.
        const Table* table = std::exchange(table_, nullptr);
        if (table != nullptr && table->destroy != nullptr) table->destroy(storage_);
    }

    const Table* table_ = nullptr;
    alignas(void*) std::byte storage_[kInsideSize] = {};  // a move may copy all of it
};

}  // namespace torsion
