#pragma once

#include <string>
#include <typeinfo>

namespace torsion {

/// The readable name of a type.
std::string typeName(const std::type_info& type);

}  // namespace torsion
