#pragma once

#include <string>

#include <torsion/core/bytes.hpp>

namespace torsion {

/// The whole content of a file (Python: FilePath.getContent).
/// @throws std::system_error that names the file and says why
Bytes readFile(const std::string& path);

/// The path of @p name in the folder of the running program (Python: getModule(__name__).filePath.sibling(name)).
std::string besideExecutable(const std::string& name);

}  // namespace torsion
