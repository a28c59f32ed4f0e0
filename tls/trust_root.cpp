#include <torsion/tls/trust_root.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

namespace fs = std::filesystem;

std::shared_ptr<x509_store_st> newStore() {
    std::shared_ptr<x509_store_st> store(X509_STORE_new(), Freer<X509_STORE_free>());
    if (!store) throw std::bad_alloc();
    return store;
}

std::string fromEnvironment(const char* variable, const char* otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr ? value : otherwise;
}

/// Where OpenSSL looks for the platform's roots.
struct PlatformPaths {
    std::string file = fromEnvironment(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    std::string folders = fromEnvironment(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());

    /// The folders, which may be several with ':' between, one by one.
    std::vector<std::string> eachFolder() const {
        std::vector<std::string> result;
        std::istringstream text(folders);
        for (std::string folder; std::getline(text, folder, ':');) result.push_back(folder);
        return result;
    }

    /// They, and how old what is found there is.
    std::string state() const {
        std::string text;
        std::vector<std::string> paths = eachFolder();
        paths.push_back(file);
        for (const std::string& path : paths) {
            struct stat status {};
            text += path + '\n';
            if (stat(path.c_str(), &status) != 0) continue;
            text += std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' +
                    std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) + '\n';
        }
        return text;
    }
};

/// Whether OpenSSL would look into a file of this name for a certificate: "5ed36f99.0" and the like.
bool isHashedName(const std::string& name) {
    constexpr std::size_t kHashLength = 8;
    if (name.size() < kHashLength + 2 || name[kHashLength] != '.') return false;
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    const auto isHexDigit = [&](char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); };
    return std::all_of(name.begin(), name.begin() + kHashLength, isHexDigit) &&
           std::all_of(name.begin() + kHashLength + 1, name.end(), isDigit);
}

bool hasCertificates(const std::string& folder) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        if (isHashedName(entry.path().filename().string())) return true;
    }
    return false;
}

std::shared_ptr<x509_store_st> readPlatformRoots(const PlatformPaths& paths) {
    std::shared_ptr<x509_store_st> store = newStore();
    if (callOpenSSL([&] { return X509_STORE_set_default_paths(store.get()); }) != 1) {
        throwFromQueue("The platform's trust roots cannot be read");
    }
    ERR_clear_error();  // a default file that does not exist is no error, and leaves one all the same
    const std::vector<std::string> folders = paths.eachFolder();
    if (sk_X509_OBJECT_num(X509_STORE_get0_objects(store.get())) == 0 &&
        std::none_of(folders.begin(), folders.end(), hasCertificates)) {
        throw Error("This platform trusts nobody: neither the file " + printable(paths.file) + " nor the folder " +
                    printable(paths.folders) +
                    " holds a certificate. Install the package ca-certificates, set SSL_CERT_FILE or SSL_CERT_DIR, or "
                    "give a trust root of your own");
    }
    return store;
}

/// Whether a name ends in .pem as Twisted decides it: what follows the last dot, or all without one.
bool endsInPEM(const std::string& name) {
    std::string last = name.substr(name.rfind('.') + 1);
    for (char& c : last) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return last == "pem";
}

std::vector<Certificate> certificatesIn(const std::string& folder) {
    std::vector<std::string> paths;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        std::error_code ignored;
        const bool isFile = entry.is_regular_file(ignored);  // to open anything else, such as a pipe, may block
        if (isFile && endsInPEM(entry.path().filename().string())) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<Certificate> found;
    for (const std::string& path : paths) {
        try {
            const Certificate certificate = Certificate::loadPEM(readFile(path));
            if (std::find(found.begin(), found.end(), certificate) == found.end()) found.push_back(certificate);
        } catch (const std::exception&) {
            // Unreadable, or no certificate: such files are passed over.
        }
    }
    return found;
}

}  // namespace

TrustRoot::TrustRoot(const Certificate& authority) : TrustRoot(std::vector<Certificate>{authority}) {}

TrustRoot::TrustRoot(std::vector<Certificate> authorities) : authorities_(std::move(authorities)), store_(newStore()) {
    if (authorities_.empty())
        throw ValueError("A trust root needs at least one certificate; with none nobody is trusted");
    for (const Certificate& authority : authorities_) {
        if (callOpenSSL([&] { return X509_STORE_add_cert(store_.get(), authority.native()); }) != 1) {
            throwFromQueue("The certificate " + authority.str() + " cannot be trusted");
        }
    }
}

TrustRoot trustRootFromCertificates(const std::vector<Certificate>& certificates) { return TrustRoot(certificates); }

TrustRoot trustRootFromFile(const std::string& path) {
    const Bytes pem = readFile(path);
    try {
        return TrustRoot(Certificate::loadAllPEM(pem));
    } catch (const Error& error) {
        throw Error(path + ": " + error.what(), error.openSSLTexts());
    }
}

TrustRoot trustRootFromDirectory(const std::string& path) {
    std::vector<Certificate> found = certificatesIn(path);
    if (found.empty()) throw ValueError("folder '" + printable(path) + "' has no .pem file with a certificate");
    return TrustRoot(std::move(found));
}

TrustRoot platformTrust() {
    // Parsing the platform's file costs tens of milliseconds, and a client that makes its recipe for each connection
    // comes here as often. Never destroyed: OpenSSL may have shut down before our own statics go.
    struct Cache {
        std::mutex mutex;
        std::string state;
        std::shared_ptr<x509_store_st> store;
    };
    static Cache& cache = *new Cache;
    const std::lock_guard lock(cache.mutex);
    const PlatformPaths paths;
    std::string state = paths.state();
    if (!cache.store || cache.state != state) {
        cache.store = readPlatformRoots(paths);
        cache.state = std::move(state);
    }
    return TrustRoot(cache.store);
}

}  // namespace torsion::ssl
