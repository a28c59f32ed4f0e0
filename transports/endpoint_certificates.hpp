#pragma once

#include <optional>
#include <string>

#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/trust_root.hpp>

/// The files that endpoint strings name. Every error names the file.
namespace torsion::endpoints::detail {

/// A certificate, the rest of its chain behind it in the same file, and its key, which may be in the same file.
ssl::PrivateCertificate loadPrivateCertificate(const std::string& certificatePath, const std::string& keyPath);

/// Whom to trust: the first certificate of each file of a folder whose name ends in .pem, in any case of letters, other
/// files and what cannot be read being skipped (ES-5); or all certificates of one file, which must be readable.
/// @throws ValueError if there is no certificate at all
ssl::TrustRoot loadTrustRoot(const std::string& path);

/// All certificates of a file. @throws ValueError if there is none
std::vector<ssl::Certificate> loadChain(const std::string& path);

}  // namespace torsion::endpoints::detail
