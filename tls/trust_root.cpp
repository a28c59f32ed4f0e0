#include <torsion/tls/trust_root.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

std::shared_ptr<x509_store_st> newStore() {
    std::shared_ptr<x509_store_st> store(X509_STORE_new(), Freer<X509_STORE_free>());
    if (!store) throw std::bad_alloc();
    return store;
}

std::string fromEnvironment(const char* variable, const char* otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr ? value : otherwise;
}

/// Where OpenSSL looks for the platform's roots, and how old what it finds there is.
std::string stateOfPlatformRoots() {
    std::string state;
    for (const std::string& path : {fromEnvironment(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
                                    fromEnvironment(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())}) {
        struct stat status {};
        state += path + '\n';
        if (stat(path.c_str(), &status) != 0) continue;
        state += std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' +
                 std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) + '\n';
    }
    return state;
}

std::shared_ptr<x509_store_st> readPlatformRoots() {
    std::shared_ptr<x509_store_st> store = newStore();
    if (callOpenSSL([&] { return X509_STORE_set_default_paths(store.get()); }) != 1) {
        throwFromQueue("The platform's trust roots cannot be read");
    }
    ERR_clear_error();  // a default file that does not exist is no error, and leaves one all the same
    return store;
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
    std::string state = stateOfPlatformRoots();
    if (!cache.store || cache.state != state) {
        cache.store = readPlatformRoots();
        cache.state = std::move(state);
    }
    return TrustRoot(cache.store);
}

}  // namespace torsion::ssl
