#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tests/environment_variable.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/resumption_fixture.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using Folder = torsion::test::TemporaryFolder;
using torsion::test::EnvironmentVariable;

namespace {

/// What is logged meanwhile, from warnings up.
class Complaints {
public:
    Complaints()
        : number_(log::addObserver([this](const log::Event& event) {
              if (event.level >= log::Level::warn) lines.emplace_back(event.text);
          })) {}
    Complaints(const Complaints&) = delete;
    Complaints& operator=(const Complaints&) = delete;
    ~Complaints() { log::removeObserver(number_); }
    long count(const std::string& text) const {
        return std::count_if(lines.begin(), lines.end(),
                             [&](const std::string& line) { return line.find(text) != std::string::npos; });
    }
    std::vector<std::string> lines;

private:
    int number_;
};

std::vector<std::string> linesOf(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = text.find('\n', from);
        REQUIRE(end != std::string::npos);
        lines.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

std::string hex(const unsigned char* octets, std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text += "0123456789abcdef"[octets[i] >> 4U];
        text += "0123456789abcdef"[octets[i] & 15U];
    }
    return text;
}

std::string clientRandom(const Session& session) {
    unsigned char octets[32];
    REQUIRE(SSL_get_client_random(session.native(), octets, sizeof octets) == sizeof octets);
    return hex(octets, sizeof octets);
}

KeyLog into(std::vector<std::string>& lines) {
    return KeyLog([&lines](std::string_view line) { lines.emplace_back(line); });
}

ClientTLSOptions clientWith(const KeyLog& log) {
    return optionsForClientTLS("example.com", exampleCertificate(), std::nullopt, {}, Parameters().keyLog(log));
}

std::vector<std::string> sorted(std::vector<std::string> lines) {
    std::sort(lines.begin(), lines.end());
    return lines;
}

}  // namespace

TEST_CASE("both ends log the same secrets of a connection, under its client random (NSS key log format)") {
    for (const TLSVersion version : kVersions) {
        std::vector<std::string> ofClient, ofServer;
        const Handshake both =
            shake(clientWith(into(ofClient)), CertificateOptions(server(version).keyLog(into(ofServer))));
        REQUIRE(both.ok());
        CHECK(sorted(ofClient) == sorted(ofServer));
        const std::string random = clientRandom(*both.client);
        for (const std::string& line : ofClient) {
            CAPTURE(line);
            CHECK(line.substr(line.find(' ') + 1, random.size() + 1) == random + ' ');
            CHECK(line.find_first_of("\r\n") == std::string::npos);
        }
        if (version == TLSVersion::TLSv1_2) {
            unsigned char secret[SSL_MAX_MASTER_KEY_LENGTH];
            const std::size_t size =
                SSL_SESSION_get_master_key(SSL_get0_session(both.client->native()), secret, sizeof secret);
            REQUIRE(ofClient.size() == 1);
            CHECK(ofClient.front() == "CLIENT_RANDOM " + random + ' ' + hex(secret, size));
        } else {
            CHECK(ofClient.size() == 5);
            for (const char* name : {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                                     "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"}) {
                const std::string start = std::string(name) + ' ' + random;
                CHECK(std::count_if(ofClient.begin(), ofClient.end(),
                                    [&](const std::string& line) { return line.rfind(start, 0) == 0; }) == 1);
            }
        }
    }
}

TEST_CASE("a key log is appended to its file, which only its owner can read; recipes share it (NSS key log format)") {
    const Folder folder;
    const std::string path = folder.file("keys");
    {
        const auto client = clientWith(KeyLog(path));
        const CertificateOptions options(server(TLSVersion::TLSv1_2).keyLog(KeyLog(path)));
        REQUIRE(shake(client, options).ok());
    }
    const std::vector<std::string> first = linesOf(readFile(path));
    REQUIRE(first.size() == 2);
    CHECK(first[0] == first[1]);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0600U);
    REQUIRE(shake(clientWith(KeyLog(path)), CertificateOptions(server(TLSVersion::TLSv1_2))).ok());
    const std::vector<std::string> second = linesOf(readFile(path));
    REQUIRE(second.size() == 3);
    CHECK(second[0] == first[0]);

    ::chmod(path.c_str(), 0640);
    KeyLog(path).write("a line");
    CHECK(linesOf(readFile(path)).back() == "a line");
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0640U);
}

TEST_CASE("lines of several threads do not mix (NSS key log format)") {
    const Folder folder;
    const KeyLog log(folder.file("keys"));
    constexpr int kThreads = 4, kLines = 200;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < kLines; ++i) log.write(std::string(100, static_cast<char>('a' + thread)));
        });
    }
    for (std::thread& thread : threads) thread.join();
    const std::vector<std::string> lines = linesOf(readFile(folder.file("keys")));
    CHECK(lines.size() == kThreads * kLines);
    for (const std::string& line : lines) CHECK(line == std::string(100, line.front()));
}

TEST_CASE("a key log that cannot be opened is an error, with the path in its text (NSS key log format)") {
    const Folder folder;
    const std::string path = folder.file("missing") + "/keys";
    CHECK_THROWS_WITH_AS(KeyLog{path}, doctest::Contains(path.c_str()), std::system_error);
    CHECK_THROWS_AS(KeyLog{KeyLog::Writer()}, ValueError);
}

TEST_CASE("a key log that cannot be written complains once, and the connections go on (NSS key log format)") {
    for (const TLSVersion version : kVersions) {
        Complaints complaints;
        const auto client = clientWith(KeyLog("/dev/full"));
        int calls = 0;
        const CertificateOptions options(server(version).keyLog(KeyLog([&](std::string_view) {
            ++calls;
            throw std::runtime_error("no more paper");
        })));
        for (int i = 0; i < 3; ++i) CHECK(shake(client, options).ok());
        CHECK(calls >= 3);
        CHECK(complaints.count("could not be written") == 2);
        CHECK(complaints.count("TLS secrets are written") == 2);
    }
}

TEST_CASE("SSLKEYLOGFILE counts if it is asked for, and not otherwise (NSS key log format)") {
    const Folder folder;
    const std::string path = folder.file("keys");
    const EnvironmentVariable variable("SSLKEYLOGFILE", path);
    REQUIRE(shake(optionsForClientTLS("example.com", exampleCertificate()), CertificateOptions(server())).ok());
    CHECK_FALSE(std::filesystem::exists(path));
    const CertificateOptions options(server(TLSVersion::TLSv1_2).keyLogFromEnvironment());
    REQUIRE(shake(torsion::ssl::optionsForClientTLS("example.com", exampleCertificate()), options).ok());
    CHECK(linesOf(readFile(path)).size() == 1);
}

TEST_CASE("SSLKEYLOGFILE that is empty or names what cannot be opened gives no key log (NSS key log format)") {
    CHECK_FALSE(KeyLog::fromEnvironment());
    {
        const EnvironmentVariable variable("SSLKEYLOGFILE", "");
        CHECK_FALSE(KeyLog::fromEnvironment());
    }
    const Folder folder;
    const EnvironmentVariable variable("SSLKEYLOGFILE", folder.file("missing") + "/keys");
    Complaints complaints;
    CHECK_FALSE(KeyLog::fromEnvironment());
    CHECK(complaints.count("which SSLKEYLOGFILE names") == 1);
    std::vector<std::string> lines;
    CHECK(shake(optionsForClientTLS("example.com", exampleCertificate()),
                CertificateOptions(server().keyLog(into(lines)).keyLogFromEnvironment()))
              .ok());
    CHECK_FALSE(lines.empty());
}
