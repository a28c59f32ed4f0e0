/// make_certificates FOLDER: writes server.pem, the key and certificate of example.com, and public.pem, the certificate
/// alone, for the other programs here. If both are there and belong together, they stay as they are.

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

#include <torsion/core/file.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/private_certificate.hpp>

using namespace torsion;

namespace {

void writeFile(const std::string& path, const std::string& content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content << std::flush;
    if (!file) throw std::runtime_error("cannot write " + path);
}

bool areThere(const std::string& serverPath, const std::string& publicPath) {
    try {
        const auto server = ssl::PrivateCertificate::loadPEM(readFile(serverPath));
        return server == ssl::Certificate::loadPEM(readFile(publicPath));
    } catch (const std::exception&) {
        return false;
    }
}

void makeCertificates(const std::string& folder) {
    const std::string serverPath = folder + "/server.pem";
    const std::string publicPath = folder + "/public.pem";
    if (areThere(serverPath, publicPath)) return;
    const auto key = ssl::KeyPair::generate();
    const ssl::DistinguishedName subject{{"CN", "example.com"}, {"O", "torsion's examples"}};
    // Browsers and others remember serial numbers: two builds shall not make the same one.
    const auto serial = std::random_device{}();
    const auto tenYears = std::chrono::hours(24 * 3650);
    const auto certificate = key.selfSignedCert(serial, subject, {"example.com"}, ssl::Validity(tenYears));
    const ssl::Certificate& publicPart = certificate;
    writeFile(serverPath, certificate.dumpPEM());
    std::filesystem::permissions(serverPath, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    writeFile(publicPath, publicPart.dumpPEM());  // not virtual: the certificate without its key
}

}  // namespace

int main(int argc, char** argv) {
    try {
        makeCertificates(argc > 1 ? argv[1] : ".");
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "make_certificates: %s\n", error.what());
        return 1;
    }
}
