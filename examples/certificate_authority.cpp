/// A small authority in a folder, for development: makes keys and certificates, and signs the requests of others.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <torsion/core/file.hpp>
#include <torsion/examples/options.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/private_certificate.hpp>

using namespace torsion;
using examples::BadInput;

namespace {

constexpr const char* kProgram = "certificate_authority";
constexpr int kUsageStatus = 64;  // sysexits.h: EX_USAGE
constexpr int kLongestDays = 36500;
constexpr std::size_t kLongestCommonName = 64;  // RFC 5280, ub-common-name

enum class Access { owner, all };

/// What the command line says; each command takes some of it.
struct Request {
    std::string folder;
    std::string name = "Development Authority";
    std::vector<std::string> names;
    std::string file;
    std::string out;
    std::string kind = "ec";
    std::string passphraseFile;
    int authorityDays = 3650;
    int days = 365;
    bool client = false;

    std::string authorityPath() const { return folder + "/authority.pem"; }
    std::string publicPath() const { return folder + "/public.pem"; }
};

void refuseToOverwrite(const std::string& path) {
    if (std::filesystem::exists(path)) {
        throw BadInput(path + " is there already: it is not overwritten; remove it, or choose another place");
    }
}

/// Writes a file that was not there; what only its owner may read is never readable to others, not even for a moment.
void writeNew(const std::string& path, const std::string& content, Access access) {
    const int descriptor =
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, access == Access::all ? 0644 : 0600);
    if (descriptor < 0 && errno == EEXIST) refuseToOverwrite(path);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "Cannot write " + path);
    std::string_view rest = content;
    while (!rest.empty()) {
        const ssize_t count = write(descriptor, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            const int error = errno;
            close(descriptor);
            unlink(path.c_str());
            throw std::system_error(error, std::generic_category(), "Cannot write " + path);
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    close(descriptor);
    examples::print("wrote " + path);
}

/// Calls @p load with the content of a file, and says which file it was if that fails.
template <class Load>
auto reading(const std::string& path, Load load) {
    const Bytes content = readFile(path);
    try {
        return load(content);
    } catch (const std::exception& error) {
        throw BadInput(path + ": " + error.what());
    }
}

/// The first line of the file with the authority's passphrase; empty if there is no such file.
std::string passphrase(const Request& request) {
    if (request.passphraseFile.empty()) return {};
    const Bytes content = readFile(request.passphraseFile);
    return content.substr(0, content.find('\n'));
}

ssl::PrivateCertificate loadAuthority(const Request& request) {
    return reading(request.authorityPath(), [&](const Bytes& pem) {
        if (request.passphraseFile.empty() && pem.find("ENCRYPTED") != Bytes::npos) {
            throw BadInput("its key is encrypted: give --passphrase-file");
        }
        return ssl::PrivateCertificate::loadPEM(pem, [&] { return passphrase(request); });
    });
}

ssl::KeyPair newKey(const Request& request) {
    static const std::map<std::string, ssl::KeyPair::Kind> kinds{
        {"rsa", ssl::KeyPair::Kind::rsa}, {"ec", ssl::KeyPair::Kind::ec}, {"ed25519", ssl::KeyPair::Kind::ed25519}};
    return ssl::KeyPair::generate(kinds.at(request.kind));
}

/// The first name is also the common name, which nobody verifies and people read; a longer one has no room there.
ssl::DistinguishedName subject(const Request& request) {
    const std::string& first = request.names.front();
    return first.size() <= kLongestCommonName ? ssl::DN{{"CN", first}} : ssl::DN();
}

ssl::Certificate sign(const Request& request, const ssl::CertificateRequest& wanted) {
    const auto use = request.client ? ssl::CertificateUse::client : ssl::CertificateUse::server;
    const ssl::Validity validity(std::chrono::hours(24 * request.days));
    return loadAuthority(request).signRequestObject(wanted, std::nullopt, validity, ssl::kDefaultDigest, use);
}

/// A file's name that is made of the first name, without what shells and folders take for something else.
std::string stem(const ssl::CertificateRequest& wanted) {
    std::string text = wanted.subjectAltNames().front();
    for (char& c : text) {
        if (c == '*' || c == '/') c = '_';
    }
    return text;
}

void init(const Request& request) {
    refuseToOverwrite(request.authorityPath());
    refuseToOverwrite(request.publicPath());
    const ssl::Validity validity(std::chrono::hours(24 * request.authorityDays));
    const auto serial = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    const auto authority = newKey(request).selfSignedCert(serial, ssl::DN{{"CN", request.name}}, {}, validity);
    const std::string pem =
        request.passphraseFile.empty() ? authority.dumpPEM() : authority.dumpPEM(passphrase(request));
    if (std::filesystem::create_directories(request.folder)) {
        std::filesystem::permissions(request.folder, std::filesystem::perms::owner_all);
    }
    const ssl::Certificate& publicPart = authority;
    writeNew(request.authorityPath(), pem, Access::owner);
    writeNew(request.publicPath(), publicPart.dumpPEM(), Access::all);  // not virtual: without the key
}

void issue(const Request& request) {
    const ssl::KeyPair key = newKey(request);
    const ssl::CertificateRequest wanted = key.requestObject(subject(request), request.names);
    const std::string path = request.out.empty() ? request.folder + "/" + stem(wanted) + ".pem" : request.out;
    refuseToOverwrite(path);
    const auto made = ssl::PrivateCertificate::fromCertificateAndKeyPair(sign(request, wanted), key);
    writeNew(path, made.dumpPEM(), Access::owner);
}

void makeRequest(const Request& request) {
    const ssl::KeyPair key = newKey(request);
    const ssl::CertificateRequest wanted = key.requestObject(subject(request), request.names);
    const std::string base = request.out.empty() ? stem(wanted) : request.out;
    refuseToOverwrite(base + ".key");
    refuseToOverwrite(base + ".csr");
    writeNew(base + ".key", key.dumpPEM(), Access::owner);
    writeNew(base + ".csr", wanted.dumpPEM(), Access::all);
}

void signRequest(const Request& request) {
    const auto wanted = reading(request.file, [](const Bytes& pem) { return ssl::CertificateRequest::loadPEM(pem); });
    const auto names = wanted.subjectAltNames();
    if (names.empty() && !request.client)
        throw BadInput(request.file + ": it asks for no name, and a server needs one");
    const std::string path =
        request.out.empty() ? std::filesystem::path(request.file).replace_extension(".crt").string() : request.out;
    refuseToOverwrite(path);
    const ssl::Certificate certificate = sign(request, wanted);
    examples::print("signed " + wanted.getSubject().str());
    for (const std::string& name : certificate.subjectAltNames()) examples::print("name: " + name);
    writeNew(path, certificate.dumpPEM(), Access::all);
}

// The parts of the command line.

CLI::App* command(CLI::App& app, const char* name, const char* purpose, Request& request, void (*run)(const Request&)) {
    CLI::App* sub = app.add_subcommand(name, purpose);
    sub->callback([&request, run] { run(request); });
    return sub;
}

void takeFolder(CLI::App* sub, Request& request) {
    sub->add_option("DIR", request.folder, "the folder of the authority")->required();
    sub->add_option("--passphrase-file", request.passphraseFile,
                    "a file whose first line is the passphrase of the authority's key");
}

void takeKey(CLI::App* sub, Request& request) {
    sub->add_option("--key", request.kind, "the kind of the new key")
        ->check(CLI::IsMember({"rsa", "ec", "ed25519"}))
        ->capture_default_str();
}

void takeDays(CLI::App* sub, int& days) {
    sub->add_option("--days", days, "how long the certificate is valid")
        ->check(CLI::Range(1, kLongestDays))
        ->capture_default_str();
}

void takeNames(CLI::App* sub, Request& request) {
    sub->add_option("NAME", request.names, "host names and addresses to speak for; the first label may be *")
        ->required();
}

void takeUse(CLI::App* sub, Request& request) {
    sub->add_flag("--client", request.client, "for a client, instead of a server");
}

void takeOut(CLI::App* sub, Request& request, const char* help, const char* otherwise) {
    sub->add_option("--out", request.out, help)->default_str(otherwise);
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    CLI::App app("A small certificate authority in a folder, for development.", kProgram);
    app.require_subcommand(1);
    Request request;

    CLI::App* sub = command(app, "init", "makes an authority: authority.pem, and public.pem for others", request, init);
    takeFolder(sub, request);
    sub->add_option("--name", request.name, "what it is called")->capture_default_str();
    takeKey(sub, request);
    takeDays(sub, request.authorityDays);

    sub = command(app, "issue", "makes a key and a certificate for it, in one file", request, issue);
    takeFolder(sub, request);
    takeNames(sub, request);
    takeKey(sub, request);
    takeDays(sub, request.days);
    takeUse(sub, request);
    takeOut(sub, request, "the file to write", "DIR/NAME.pem");

    sub =
        command(app, "request", "makes a key, and a request for a certificate to send elsewhere", request, makeRequest);
    takeNames(sub, request);
    takeKey(sub, request);
    takeOut(sub, request, "the files to write, without their ends .key and .csr", "NAME");

    sub = command(app, "sign", "makes a certificate for who made the request", request, signRequest);
    takeFolder(sub, request);
    sub->add_option("REQUEST", request.file, "PEM file with the request")->required();
    takeDays(sub, request.days);
    takeUse(sub, request);
    takeOut(sub, request, "the file to write", "REQUEST with the end .crt");

    try {
        app.parse(argc, argv);
        return 0;
    } catch (const CLI::Success& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        examples::complain(kProgram, error.what());
        return kUsageStatus;
    } catch (const std::exception& error) {
        examples::complain(kProgram, error.what());
        return 1;
    }
}
