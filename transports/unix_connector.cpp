#include <torsion/transports/unix_connector.hpp>

#include <cerrno>

#include <torsion/transports/hostname.hpp>
#include <torsion/transports/unix_lock.hpp>
#include <torsion/transports/unix_path.hpp>

namespace torsion {

namespace {

/// How long to leave a server alone that has as many waiting as its backlog takes.
constexpr Duration kFullBacklogPause = std::chrono::milliseconds(20);

}  // namespace

UNIXConnector::UNIXConnector(Reactor& reactor, const std::string& path, std::shared_ptr<ClientFactory> factory,
                             Duration timeout, bool checkPID)
    : BaseConnector(reactor, std::move(factory), timeout, "connectUNIX"), path_(path), checkPID_(checkPID) {}

void UNIXConnector::begin() {
    if (const std::string fault = faultOfUNIXPath(path_); !fault.empty()) {
        failedLater(ConnectError(0, quoted(path_) + ": " + fault));
        return;
    }
    if (checkPID_ && !isAbstractPath(path_)) {
        const std::string lock = path_ + ".lock";
        if (!FilesystemLock::isLocked(lock)) {
            failedLater(BadFileError(quoted(path_) + ": no live server holds the lock " + quoted(lock)));
            return;
        }
    }
    connectTo(UNIXAddress(path_));
}

void UNIXConnector::stopBeginning() {
    if (again_.active()) again_.cancel();
}

std::string UNIXConnector::where() const { return quoted(path_); }

/// Unlike over TCP, the system does not wait for a place in the server's backlog.
void UNIXConnector::refused(int error) {
    if (error != EAGAIN) return BaseConnector::refused(error);
    again_ = reactor().callLater(kFullBacklogPause, [this] { connectTo(peer()); });
}

}  // namespace torsion
