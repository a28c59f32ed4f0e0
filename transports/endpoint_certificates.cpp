#include <torsion/transports/endpoint_certificates.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints::detail {

namespace {

namespace fs = std::filesystem;

/// Runs @p load; what it throws about PEM also says which file it was.
template <class Load>
auto naming(const std::string& path, Load load) {
    try {
        return load();
    } catch (const ssl::Error& error) {
        throw ssl::Error(path + ": " + error.what(), error.openSSLTexts());
    } catch (const VerifyError& error) {
        throw VerifyError(path + ": " + error.what(), torsion::detail::Exactly{});
    }
}

/// As Twisted decides it: what follows the last dot, or all without one.
bool endsInPEM(const std::string& name) {
    std::string last = name.substr(name.rfind('.') + 1);
    for (char& c : last) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return last == "pem";
}

std::vector<ssl::Certificate> certificatesIn(const std::string& folder) {
    std::vector<std::string> paths;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (endsInPEM(entry.path().filename().string())) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<ssl::Certificate> found;
    for (const std::string& path : paths) {
        try {
            const ssl::Certificate certificate = ssl::Certificate::loadPEM(readFile(path));
            if (std::find(found.begin(), found.end(), certificate) == found.end()) found.push_back(certificate);
        } catch (const std::exception&) {
            // Unreadable, or no certificate: such files are passed over.
        }
    }
    return found;
}

}  // namespace

ssl::PrivateCertificate loadPrivateCertificate(const std::string& certificatePath, const std::string& keyPath) {
    const Bytes certificatePEM = readFile(certificatePath);
    if (certificatePath == keyPath) {
        return naming(certificatePath, [&] { return ssl::PrivateCertificate::loadPEM(certificatePEM); });
    }
    const ssl::KeyPair key = naming(keyPath, [&] { return ssl::KeyPair::loadPEM(readFile(keyPath)); });
    return naming(certificatePath, [&] {
        std::vector<ssl::Certificate> chain = ssl::Certificate::loadAllPEM(certificatePEM);
        const ssl::Certificate own = chain.front();
        chain.erase(chain.begin());
        return ssl::PrivateCertificate::fromCertificateAndKeyPair(own, key, std::move(chain));
    });
}

ssl::TrustRoot loadTrustRoot(const std::string& path) {
    if (!fs::is_directory(path)) {
        return naming(path,
                      [&] { return ssl::trustRootFromCertificates(ssl::Certificate::loadAllPEM(readFile(path))); });
    }
    const std::vector<ssl::Certificate> found = certificatesIn(path);
    if (found.empty()) throw ValueError("folder " + quoted(path) + " has no .pem file with a certificate");
    return ssl::trustRootFromCertificates(found);
}

std::vector<ssl::Certificate> loadChain(const std::string& path) {
    try {
        return ssl::Certificate::loadAllPEM(readFile(path));
    } catch (const ssl::Error& error) {
        throw ValueError("chain file " + quoted(path) + " holds no certificate: " + error.what());
    }
}

}  // namespace torsion::endpoints::detail
