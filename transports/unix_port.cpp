#include <torsion/transports/unix_port.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include <torsion/core/log.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/unix_lock.hpp>
#include <torsion/transports/unix_path.hpp>

namespace torsion {

namespace {

constexpr unsigned kHighestMode = 07777;

std::string systemText(int error) { return std::system_category().message(error); }

/// Whether a server listens there; it sees a connection that ends at once.
bool somebodyListens(const std::string& path) {
    const UNIXAddress address(path);
    const Socket socket = Socket::stream(address);
    sockaddr_storage storage{};
    const socklen_t length = address.toSockaddr(&storage);
    if (::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return true;
    return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

/// The socket's name in the file system, and the lock that goes with it: both end with this object.
class UNIXPort::File {
public:
    explicit File(const std::string& path) : path_(path) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    ~File() {
        // Only what we have made: somebody else's may have taken its place.
        struct stat now {};
        if (bound_ && ::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
            if (::unlink(path_.c_str()) != 0)
                log::warn("Could not remove the socket " + path_ + ": " + systemText(errno));
        }
    }

    /// Takes the lock, and removes the socket that a dead owner has left: not one that somebody listens on, who has
    /// no lock, or has taken the dead one's in the same moment as we. @throws CannotListenError
    void lock() {
        lock_.emplace(path_ + ".lock");
        const std::string why = lock_->lock([this] { return somebodyListens(path_); });
        if (!why.empty()) throw CannotListenError(quoted(path_), why);
        struct stat there {};
        if (!lock_->clean() && ::lstat(path_.c_str(), &there) == 0 && S_ISSOCK(there.st_mode) &&
            !somebodyListens(path_)) {
            ::unlink(path_.c_str());  // if it cannot be removed, bind says so
        }
    }

    /// The socket was bound: the file is there, and ours. @throws CannotListenError
    void made(unsigned mode) {
        struct stat there {};
        if (::lstat(path_.c_str(), &there) != 0) throw CannotListenError(quoted(path_), systemText(errno), errno);
        device_ = there.st_dev;
        inode_ = there.st_ino;
        bound_ = true;
        // Nobody can connect yet, so that the permissions of the moment before do no harm.
        if (::chmod(path_.c_str(), static_cast<mode_t>(mode)) != 0) {
            throw CannotListenError(quoted(path_), "its mode cannot be set: " + systemText(errno), errno);
        }
    }

private:
    std::string path_;
    std::optional<FilesystemLock> lock_;  // released after the file is gone
    dev_t device_ = 0;
    ino_t inode_ = 0;
    bool bound_ = false;
};

UNIXPort::UNIXPort(Reactor& reactor, const std::string& path, std::shared_ptr<Factory> factory, int backlog,
                   unsigned mode, bool wantPID)
    : Port(reactor, std::move(factory), backlog, "listenUNIX"), path_(path), mode_(mode), wantPID_(wantPID) {
    if (mode > kHighestMode) throw ValueError("listenUNIX: the mode of a file is at most 07777, in octal");
}

UNIXPort::~UNIXPort() = default;

void UNIXPort::startListening() {
    try {
        Port::startListening();
    } catch (...) {
        file_.reset();
        throw;
    }
}

Socket UNIXPort::open() {
    if (const std::string fault = faultOfUNIXPath(path_); !fault.empty()) throw CannotListenError(quoted(path_), fault);
    const UNIXAddress address(path_);
    Socket socket = Socket::stream(address);
    if (!socket) throw CannotListenError(quoted(path_), systemText(errno), errno);
    const bool inFileSystem = !isAbstractPath(path_);
    if (inFileSystem) {
        file_ = std::make_unique<File>(path_);
        if (wantPID_) file_->lock();
    }
    if (const int error = socket.bind(address)) {
        std::string why = systemText(error);
        if (error == EADDRINUSE && inFileSystem) {
            why += wantPID_ && somebodyListens(path_)
                       ? "; a server listens there that does not hold the lock: end it, or choose another path"
                       : "; if no server uses this file any more, remove it, or listen with a lock file (wantPID), by "
                         "which a dead server's is told and taken over";
        }
        throw CannotListenError(quoted(path_), why, error);
    }
    if (inFileSystem) file_->made(mode_);
    if (::listen(socket.descriptor(), backlog()) != 0) throw CannotListenError(quoted(path_), systemText(errno), errno);
    return socket;
}

void UNIXPort::closing() noexcept { file_.reset(); }

std::string UNIXPort::place() const { return quoted(path_); }

}  // namespace torsion
