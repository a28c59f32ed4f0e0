#include <torsion/transports/endpoint_certificates.hpp>

#include <filesystem>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints::detail {

namespace {

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
    return std::filesystem::is_directory(path) ? ssl::trustRootFromDirectory(path) : ssl::trustRootFromFile(path);
}

std::vector<ssl::Certificate> loadChain(const std::string& path) {
    try {
        return ssl::Certificate::loadAllPEM(readFile(path));
    } catch (const ssl::Error& error) {
        throw ValueError("chain file " + quoted(path) + " holds no certificate: " + error.what());
    }
}

}  // namespace torsion::endpoints::detail
