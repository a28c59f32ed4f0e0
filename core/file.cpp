#include <torsion/core/file.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace torsion {

Bytes readFile(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) throw std::system_error(errno, std::generic_category(), "Cannot read " + path);
    Bytes content;
    char block[16384];
    for (;;) {
        const std::size_t got = std::fread(block, 1, sizeof block, file.get());
        content.append(block, got);
        if (got < sizeof block) break;
    }
    if (std::ferror(file.get()) != 0) throw std::system_error(errno, std::generic_category(), "Cannot read " + path);
    return content;
}

std::string besideExecutable(const std::string& name) {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

}  // namespace torsion
