#include <torsion/tls/certificate_files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

namespace fs = std::filesystem;

std::int64_t nanoseconds(const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::int64_t>(time.tv_nsec);
}

bool isCertificateFile(const fs::directory_entry& entry) {
    std::string name = entry.path().filename().string();
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (name.starts_with('.') || !name.ends_with(".pem")) return false;
    std::error_code ignored;
    const fs::file_status status = entry.status(ignored);
    return fs::is_regular_file(status) || !fs::exists(status);  // to read anything else, such as a pipe, may block
}

/// The content of a file that may have become anything since it was looked at, such as a pipe, on which to wait would
/// stop the reactor, or one without end.
Bytes readAtMost(const std::string& path, std::size_t largest) {
    const auto fail = [&] { throw std::system_error(errno, std::generic_category(), "Cannot read " + path); };
    struct Descriptor {
        ~Descriptor() {
            if (number >= 0) ::close(number);
        }
        const int number;
    } const file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (file.number < 0) fail();
    struct stat status {};
    if (::fstat(file.number, &status) != 0) fail();
    if (!S_ISREG(status.st_mode)) throw Error("it is no file, but a folder, a pipe or the like");
    Bytes content;
    std::array<char, 16384> block{};
    for (;;) {
        const ssize_t got = ::read(file.number, block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail();
        if (got == 0) return content;
        content.append(block.data(), static_cast<std::size_t>(got));
        if (content.size() > largest) {
            throw Error("it has too many octets: files of more than " + std::to_string(largest) + " are not read");
        }
    }
}

}  // namespace

CertificateFile lookAtFile(const std::string& path) {
    CertificateFile file;
    file.path = path;
    file.name = fs::path(path).filename().string();
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return file;
    file.device = static_cast<std::uint64_t>(status.st_dev);
    file.inode = static_cast<std::uint64_t>(status.st_ino);
    file.size = static_cast<std::int64_t>(status.st_size);
    file.written = nanoseconds(status.st_mtim);
    file.changed = nanoseconds(status.st_ctim);
    return file;
}

std::vector<CertificateFile> listCertificateFiles(const std::string& path) {
    std::vector<CertificateFile> files;
    try {
        if (fs::is_regular_file(path)) {
            files.push_back(lookAtFile(path));
            return files;
        }
        for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
            if (isCertificateFile(entry)) files.push_back(lookAtFile(entry.path().string()));
        }
    } catch (const fs::filesystem_error& error) {
        throw std::system_error(error.code(), "the certificates of '" + printable(path) + "' cannot be looked for");
    }
    std::sort(files.begin(), files.end(),
              [](const CertificateFile& a, const CertificateFile& b) { return a.name < b.name; });
    return files;
}

PrivateCertificate loadCertificateFile(const CertificateFile& file, std::size_t largest) {
    return PrivateCertificate::loadPEM(readAtMost(file.path, largest));
}

}  // namespace torsion::ssl
