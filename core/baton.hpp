#pragma once

#include <memory>

namespace torsion::detail {

/// What one thread waits for and another gives, once; that orders all that was done before. The standard's own
/// (std::promise, std::binary_semaphore) would have every user compile <thread>.
class Baton {
public:
    Baton();
    Baton(const Baton&) = delete;
    Baton& operator=(const Baton&) = delete;
    ~Baton();

    /// From any thread. Again is harmless.
    void give() noexcept;

    /// Returns when it has been given.
    void take();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace torsion::detail
