#pragma once

#include <string>
#include <vector>

#include <torsion/core/failure.hpp>
#include <torsion/transports/hostname_endpoint.hpp>

namespace torsion::endpoints::detail {

/// The error of the last of @p attempts, of its type, with all of them in its text. @param target "host:port"
Failure unreachableHost(const std::string& target, std::vector<UnreachableHost::Attempt> attempts);

}  // namespace torsion::endpoints::detail
