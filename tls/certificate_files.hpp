#pragma once

// Private to the tls folder.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <torsion/tls/private_certificate.hpp>

namespace torsion::ssl {

/// A PEM file, and what tells whether it has changed.
struct CertificateFile {
    std::string path;
    std::string name;  ///< without the folder

    // None of these for a file that cannot be looked at. The time of the last change of status shows a file that has
    // become readable, too.
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t written = 0;  ///< nanoseconds
    std::int64_t changed = 0;  ///< nanoseconds

    bool operator==(const CertificateFile&) const = default;
};

/// Looks at a file; one that is not there gets no times.
CertificateFile lookAtFile(const std::string& path);

/// The files of a folder whose names end in ".pem", in any case of letters, by name. Hidden files and what is no file
/// are left out; links to files that are gone are not. For a file, that file.
/// @throws std::system_error if @p path cannot be read
std::vector<CertificateFile> listCertificateFiles(const std::string& path);

/// Key, certificate and chain of a file. @throws ssl::Error, VerifyError, std::system_error
PrivateCertificate loadCertificateFile(const CertificateFile& file, std::size_t largest);

}  // namespace torsion::ssl
