#pragma once

#include <utility>

#include <torsion/core/address.hpp>

namespace torsion {

/// Owns a socket's descriptor.
class Socket {
public:
    Socket() noexcept = default;
    explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Socket() { close(); }

    /// A non-blocking, close-on-exec stream socket for addresses like @p address; invalid on error, see errno.
    static Socket stream(const Address& address) noexcept;

    int descriptor() const noexcept { return descriptor_; }
    explicit operator bool() const noexcept { return descriptor_ >= 0; }
    void close() noexcept;

    /// Makes close() send RST and drop what is unsent.
    void resetOnClose() noexcept;

    /// @return 0 or errno
    int bind(const Address& address) noexcept;
    /// The error that is pending on the socket; 0 for none.
    int pendingError() const noexcept;

    Address localAddress() const;

    bool flag(int level, int option) const noexcept;
    void setFlag(int level, int option, bool enabled) noexcept;

private:
    int descriptor_ = -1;
};

}  // namespace torsion
