#pragma once

#include <string>
#include <string_view>

namespace torsion {

/// Octets that somebody else owns. A view given to a callback dies when the callback returns.
using BytesView = std::string_view;

/// Octets that we own.
using Bytes = std::string;

}  // namespace torsion
