#pragma once

#include <cstddef>
#include <string>

/// What may stand for a UNIX socket.
namespace torsion {

/// The longest path, which a NUL follows in sockaddr_un.
inline constexpr std::size_t kLongestUNIXPath = 107;

/// Why @p path cannot name a UNIX socket; empty if it can.
std::string faultOfUNIXPath(const std::string& path);

/// Whether it is a name in Linux's abstract namespace, for which there is no file.
bool isAbstractPath(const std::string& path) noexcept;

}  // namespace torsion
