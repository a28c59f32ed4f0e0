#include <torsion/transports/unix_lock.hpp>

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include <torsion/transports/hostname.hpp>

namespace torsion {

namespace {

/// How often to begin anew when others take and release the lock meanwhile.
constexpr int kRounds = 10;

std::string systemText(int error) { return std::system_category().message(error); }

/// What the link at @p path says; none if there is no link, see errno.
std::optional<std::string> ownerOf(const std::string& path) {
    char text[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), text, sizeof text);
    if (length < 0) return std::nullopt;
    return std::string(text, static_cast<std::size_t>(length));
}

/// The process number; 0 if it is none.
pid_t number(const std::string& owner) {
    pid_t pid = 0;
    const char* const end = owner.data() + owner.size();
    const auto [stop, error] = std::from_chars(owner.data(), end, pid);
    return error == std::errc() && stop == end && pid > 0 ? pid : 0;
}

/// Also if it is another user's.
bool alive(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

}  // namespace

std::string FilesystemLock::lock(const std::function<bool()>& inUse) {
    const std::string us = std::to_string(::getpid());
    const std::string name = "the lock " + quoted(path_);
    for (int round = 0; round < kRounds; ++round) {
        if (::symlink(us.c_str(), path_.c_str()) == 0) {
            locked_ = true;
            return {};
        }
        if (errno != EEXIST) return name + " cannot be made: " + systemText(errno);
        const std::optional<std::string> owner = ownerOf(path_);
        if (!owner) {
            if (errno == ENOENT) continue;  // released just now
            return name + " cannot be read: " + systemText(errno);
        }
        const pid_t pid = number(*owner);
        if (pid == 0) return name + " names no process, but " + quoted(*owner) + ": remove it if nobody needs it";
        const bool held = *owner == us ? inUse() : alive(pid);
        if (held) return name + " is held by process " + *owner;
        if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
            return name + " of process " + *owner + ", which is gone, cannot be removed: " + systemText(errno);
        }
        clean_ = false;
    }
    return name + " is taken and released all the time";
}

void FilesystemLock::unlock() noexcept {
    if (!locked_) return;
    locked_ = false;
    try {
        if (ownerOf(path_) == std::to_string(::getpid())) ::unlink(path_.c_str());  // unless it was taken from us
    } catch (...) {
        ::unlink(path_.c_str());
    }
}

bool FilesystemLock::isLocked(const std::string& path) {
    const std::optional<std::string> owner = ownerOf(path);
    if (!owner) return false;
    const pid_t pid = number(*owner);
    return pid != 0 && alive(pid);
}

}  // namespace torsion
