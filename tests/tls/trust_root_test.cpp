#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <openssl/x509.h>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/trust_root.hpp>

#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using Folder = torsion::test::TemporaryFolder;
using torsion::test::contains;
using torsion::test::messageOf;

namespace {

namespace fs = std::filesystem;

/// Sets a variable of the environment as long as it lives.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        setenv(name, value.c_str(), 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

private:
    const char* name_;
    std::optional<std::string> before_;
};

std::string pemOf(const Certificate& certificate) { return certificate.dumpPEM(); }

bool trusts(const TrustRoot& root, const PrivateCertificate& server) {
    return shake(optionsForClientTLS("example.com", root), server.options()).ok();
}

}  // namespace

TEST_CASE("a trust root may be public or private certificates, several of them, and a server's own") {
    const PrivateCertificate server = issued({"example.com"});
    CHECK(trusts(trustRootFromCertificates({exampleCertificate(), authority()}), server));
    CHECK(trusts(trustRootFromCertificates({Certificate::load(authority().dump())}), server));
    CHECK(trusts(exampleCertificate(), exampleCertificate()));
    CHECK_FALSE(trusts(exampleCertificate(), server));
    CHECK_FALSE(trusts(Certificate(server), server));  // no anchor of its own
}

TEST_CASE("the common name counts for nothing, with names beside it or without") {
    const auto named = [](const std::vector<std::string>& names) {
        return authority().issue(someKey(), DistinguishedName{{"CN", "example.com"}}, names);
    };
    CHECK_FALSE(trusts(authority(), named({})));
    CHECK_FALSE(trusts(authority(), named({"other.example"})));
    CHECK_FALSE(trusts(authority(), named({"192.0.2.1"})));
    CHECK(trusts(authority(), named({"example.com"})));
}

TEST_CASE("a file of trust roots is taken whole, and its name stands in every error") {
    const Folder folder;
    const std::string both = folder.write("both.pem", pemOf(exampleCertificate()) + pemOf(authority()));
    CHECK(trustRootFromFile(both).authorities().size() == 2);
    CHECK(trusts(trustRootFromFile(both), issued({"example.com"})));
    const std::string garbage = folder.write("garbage.pem", "garbage");
    CHECK(contains(messageOf<ssl::Error>([&] { trustRootFromFile(garbage); }), garbage + ": This is not PEM"));
    const std::string missing = folder.path() + "/missing.pem";
    CHECK(contains(messageOf<std::system_error>([&] { trustRootFromFile(missing); }), missing));
}

TEST_CASE("a folder of trust roots gives the first certificate of each .pem file, and the rest is passed over (ES-5)") {
    const Folder folder;
    CHECK(messageOf<ValueError>([&] { trustRootFromDirectory(folder.path()); }) ==
          "folder '" + folder.path() + "' has no .pem file with a certificate");
    folder.write("readme.txt", pemOf(authority()));
    folder.write("garbage.pem", "garbage");
    folder.write("key.pem", someKey().dumpPEM());
    CHECK_THROWS_AS(trustRootFromDirectory(folder.path()), ValueError);
    folder.write("a.PEM", pemOf(exampleCertificate()) + pemOf(authority()));
    folder.write("b.pem", pemOf(exampleCertificate()));
    CHECK(trustRootFromDirectory(folder.path()).authorities() == std::vector<Certificate>{exampleCertificate()});
    folder.write("c.pem", pemOf(authority()));
    CHECK(trusts(trustRootFromDirectory(folder.path()), issued({"example.com"})));
    CHECK_THROWS_AS(trustRootFromDirectory(folder.path() + "/missing"), std::system_error);
}

TEST_CASE("platformTrust without any certificate says where it looked and what to do") {
    const Folder folder;
    const Variable file("SSL_CERT_FILE", folder.path() + "/none.pem");
    const Variable folders("SSL_CERT_DIR", folder.path() + "/none:" + folder.path());
    folder.write("plain.pem", pemOf(authority()));  // not the hash of a subject, so OpenSSL never looks at it
    const std::string text = messageOf<ssl::Error>([] { platformTrust(); });
    CHECK(contains(text, folder.path() + "/none.pem"));
    CHECK(contains(text, folder.path() + "/none:" + folder.path()));
    CHECK(contains(text, "ca-certificates"));
    CHECK(messageOf<ssl::Error>([] { optionsForClientTLS("example.com"); }) == text);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("platformTrust takes the folders of SSL_CERT_DIR, and notices when one changes") {
    const Folder folder;
    const Folder second;
    const Variable file("SSL_CERT_FILE", folder.path() + "/none.pem");
    const Variable folders("SSL_CERT_DIR", folder.path() + ":" + second.path());
    CHECK_THROWS_AS(platformTrust(), ssl::Error);
    char hashed[16];
    std::snprintf(hashed, sizeof hashed, "%08lx.0",
                  X509_NAME_hash_ex(X509_get_subject_name(authority().native()), nullptr, nullptr, nullptr));
    second.write(hashed, pemOf(authority()));
    CHECK(trusts(platformTrust(), issued({"example.com"})));
    CHECK_FALSE(trusts(platformTrust(), exampleCertificate()));
}
