#include <torsion/core/failure.hpp>

#include <cxxabi.h>

#include <torsion/core/type_name.hpp>

namespace torsion {

/// What a catch clause found. The exception object lives as long as the pointer, so its address may be kept.
struct Failure::Thrown final : Failure::Held {
    explicit Thrown(std::exception_ptr p) : pointer(std::move(p)) {
        try {
            std::rethrow_exception(pointer);
        } catch (const std::exception& error) {
            standard = &error;
            info = &typeid(error);
        } catch (...) {
            info = abi::__cxa_current_exception_type();
        }
    }
    const std::exception* exception() const noexcept override { return standard; }
    const std::type_info& type() const noexcept override { return *info; }
    [[noreturn]] void raise() const override { std::rethrow_exception(pointer); }

    std::exception_ptr pointer;
    const std::exception* standard = nullptr;
    const std::type_info* info = nullptr;
};

Failure::Failure(std::exception_ptr thrown) : held_(new Thrown(std::move(thrown))) {}

Failure Failure::current() {
    std::exception_ptr thrown = std::current_exception();
    if (!thrown) throw RuntimeError("Failure::current() was called, and no exception is being handled");
    return Failure(std::move(thrown));
}

Failure& Failure::operator=(const Failure& other) noexcept {
    other.held_->references.fetch_add(1, std::memory_order_relaxed);
    release(std::exchange(held_, other.held_));
    return *this;
}

std::string Failure::typeName() const { return torsion::typeName(held_->type()); }

std::string Failure::getErrorMessage() const {
    const std::exception* error = held_->exception();
    std::string text = error != nullptr ? error->what() : "";
    return text.empty() ? typeName() : text;
}

std::string Failure::str() const { return "[Failure instance: " + typeName() + ": " + getErrorMessage() + "]"; }

}  // namespace torsion
