#include <torsion/transports/unix_path.hpp>

#include <sys/un.h>

namespace torsion {

static_assert(kLongestUNIXPath + 1 == sizeof(sockaddr_un{}.sun_path));

std::string faultOfUNIXPath(const std::string& path) {
    if (path.empty()) return "the path of a UNIX socket is missing";
    if (path.size() > kLongestUNIXPath) {
        return "it has " + std::to_string(path.size()) + " octets, and the path of a UNIX socket at most " +
               std::to_string(kLongestUNIXPath) + "; change the folder, or use a symbolic link to it";
    }
    if (!isAbstractPath(path) && path.find('\0') != std::string::npos) return "there is a NUL in the path";
    return {};
}

bool isAbstractPath(const std::string& path) noexcept { return !path.empty() && path.front() == '\0'; }

}  // namespace torsion
