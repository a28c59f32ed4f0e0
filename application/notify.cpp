#include <torsion/application/notify.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include <torsion/core/log.hpp>
#include <torsion/transports/socket.hpp>

namespace torsion::service {

namespace {

Notification failed(const std::string& address, const std::string& why) {
    log::warn("Could not tell the service manager at NOTIFY_SOCKET='" + address + "': " + why);
    return Notification::failed;
}

Notification failed(const std::string& address, int error) {
    failed(address, std::strerror(error));
    const bool passes = error == EAGAIN || error == ENOBUFS || error == EMFILE || error == ENFILE || error == ENOMEM;
    return passes ? Notification::busy : Notification::failed;
}

std::optional<std::int64_t> number(const char* name) {
    const char* const text = std::getenv(name);
    if (text == nullptr) return std::nullopt;
    const char* const end = text + std::strlen(text);
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc() || stop != end || value <= 0) return std::nullopt;
    return value;
}

}  // namespace

bool sdNotify(std::string_view state) { return trySdNotify(state) == Notification::sent; }

Notification trySdNotify(std::string_view state) {
    const char* const variable = std::getenv("NOTIFY_SOCKET");
    if (variable == nullptr || *variable == '\0') return Notification::unwanted;
    const std::string address = variable;
    if (address[0] != '/' && address[0] != '@') return failed(address, "neither a path nor an abstract name");
    sockaddr_un target{};
    target.sun_family = AF_UNIX;
    if (address.size() >= sizeof target.sun_path) return failed(address, "longer than a socket's address may be");
    std::memcpy(target.sun_path, address.data(), address.size());
    std::size_t length = offsetof(sockaddr_un, sun_path) + address.size();
    if (address[0] == '@') {
        target.sun_path[0] = '\0';
    } else {
        ++length;  // a path ends with a NUL, an abstract name with its length
    }
    const Socket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return failed(address, errno);
    const ssize_t sent = ::sendto(socket.descriptor(), state.data(), state.size(), MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&target), static_cast<socklen_t>(length));
    return sent >= 0 ? Notification::sent : failed(address, errno);
}

std::optional<Duration> watchdogInterval() {
    if (std::getenv("WATCHDOG_PID") != nullptr && number("WATCHDOG_PID") != ::getpid()) return std::nullopt;
    const std::optional<std::int64_t> microseconds = number("WATCHDOG_USEC");
    if (!microseconds || *microseconds > std::numeric_limits<std::int64_t>::max() / 1000) return std::nullopt;
    return std::chrono::microseconds(*microseconds);
}

}  // namespace torsion::service
