#pragma once

#include <functional>
#include <string>

namespace torsion {

/// A lock that is a symbolic link to its owner's process number: what cannot be made twice, and tells of an owner that
/// died (twisted.python.lockfile.FilesystemLock, with which it is compatible). Two that find the same dead owner in the
/// same moment may both get it, as with Twisted. So clean() alone is no leave to remove the socket that it is for: who
/// does must ask first whether somebody listens there, as UNIXPort does; then the second one finds the path in use.
class FilesystemLock {
public:
    explicit FilesystemLock(std::string path) : path_(std::move(path)) {}
    FilesystemLock(const FilesystemLock&) = delete;
    FilesystemLock& operator=(const FilesystemLock&) = delete;
    /// Releases it.
    ~FilesystemLock() { unlock(); }

    /// Takes the lock unless somebody has it. @param inUse asked about an owner with our own process number: whether it
    /// is really this process; otherwise it was one before us, as happens where each process has the same number
    /// @return empty, or why not
    std::string lock(const std::function<bool()>& inUse);

    /// Whether its last owner released it; to be asked after lock().
    bool clean() const noexcept { return clean_; }

    void unlock() noexcept;

    /// Whether a live process has the lock at @p path.
    static bool isLocked(const std::string& path);

private:
    std::string path_;
    bool locked_ = false;
    bool clean_ = true;
};

}  // namespace torsion
