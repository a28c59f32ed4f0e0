#pragma once

#include <string>

#include <torsion/core/bytes.hpp>

namespace torsion::testing {

/// Octets for a reader: "\r", "\n", "\"" and "\\" as in a source, other than ASCII as "\x1f".
std::string printable(BytesView octets);

}  // namespace torsion::testing
