#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/core/log.hpp>
#include <torsion/testing/clock.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tests/words.hpp>
#include <torsion/tls/certificate_directory.hpp>
#include <torsion/tls/certificate_watch.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/ticket_keys.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;
using torsion::test::kVersions;
using torsion::test::TLSPair;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;
using Settings = CertificateDirectory::Settings;

/// A folder of certificates.
class Folder : public torsion::test::TemporaryFolder {
public:
    /// Puts a file there at one go, as those do who renew certificates.
    void write(const std::string& name, const std::string& content) const {
        const std::string path = TemporaryFolder::write(".new", content);
        fs::rename(path, file(name));
    }
    PrivateCertificate put(const std::string& name, const Names& names) const {
        PrivateCertificate certificate = issued(names);
        write(name, certificate.dumpPEM());
        return certificate;
    }
    void remove(const std::string& name) const { fs::remove(file(name)); }
};

/// What a client gets to see who asks for @p name; a text for none.
std::string shown(const ContextFactory& server, const std::string& name) {
    const Handshake result = shake(insecureOptionsForClientTLS(name), server);
    return result.ok() ? result.client->peerCertificate()->serialNumber() : result.clientText();
}

bool refused(const ContextFactory& server, const std::string& name) {
    return shown(server, name).find("unrecognized_name") != std::string::npos;
}

std::string errorOf(const std::string& path, const Settings& settings = Settings()) {
    try {
        const CertificateDirectory directory(path, settings);
    } catch (const ssl::Error& error) {
        return error.what();
    }
    return "no error";
}

/// The faults that are logged while it lives.
class Log {
public:
    Log()
        : number_(log::addObserver([this](const log::Event& event) {
              if (contains(std::string(event.text), "what was served before is kept"))
                  warnings.emplace_back(event.text);
          })) {}
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    ~Log() { log::removeObserver(number_); }

    Names warnings;

private:
    int number_;
};

}  // namespace

TEST_CASE("a folder serves the names of its certificates, and default.pem everybody else (SNI)") {
    const Folder folder;
    const auto a = folder.put("a.pem", {"a.example", "*.a.example"});
    const auto b = folder.put("B.PEM", {"b.example"});
    const auto otherwise = folder.put("default.pem", Names{});
    folder.write("notes.txt", "nothing");
    folder.write(".hidden.pem", "nothing");
    fs::create_directory(folder.file("folder.pem"));
    const CertificateDirectory directory(folder.path());
    CHECK(directory.current().names() == Names{"a.example", "b.example", "*.a.example"});
    CHECK(directory.faults().empty());
    CHECK(shown(directory, "a.example") == a.serialNumber());
    CHECK(shown(directory, "x.a.example") == a.serialNumber());
    CHECK(shown(directory, "b.example") == b.serialNumber());
    CHECK(shown(directory, "c.example") == otherwise.serialNumber());
    CHECK(shown(directory, "") == otherwise.serialNumber());
}

TEST_CASE("without default.pem strangers are sent away, and another file can be the default (SNI)") {
    const Folder folder;
    const auto a = folder.put("a.pem", {"a.example"});
    CHECK(refused(CertificateDirectory(folder.path()), "b.example"));
    const CertificateDirectory chosen(folder.path(), Settings().defaultFile("a.pem"));
    CHECK(shown(chosen, "b.example") == a.serialNumber());
    const CertificateDirectory strict(folder.path(), Settings().defaultFile("a.pem").refuseUnknownNames());
    CHECK(refused(strict, "b.example"));
    CHECK(shown(strict, "") == a.serialNumber());
    CHECK(contains(errorOf(folder.path(), Settings().defaultFile("none.pem")), "there is no file 'none.pem'"));
    CHECK_THROWS_AS(Settings().defaultFile("x/a.pem"), ValueError);
    CHECK_THROWS_AS(Settings().defaultFile(""), ValueError);
    folder.put("DEFAULT.pem", {"d.example"});
    CHECK_FALSE(refused(CertificateDirectory(folder.path()), "b.example"));
}

TEST_CASE("one file serves everybody, with its chain (SNI)") {
    const Folder folder;
    const PrivateCertificate between =
        authority().issue(otherKey(), DistinguishedName{{"CN", "between"}}, {}, Validity(), true);
    folder.write("one.pem", between.issue(someKey(), DistinguishedName{{"CN", "leaf"}}, {"a.example"}).dumpPEM());
    const CertificateDirectory directory(folder.file("one.pem"));
    CHECK(shake(optionsForClientTLS("a.example", authority()), directory).ok());
    CHECK_FALSE(refused(directory, "b.example"));
}

TEST_CASE("what the recipes have in common is given once (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    using Parameters = CertificateOptions::Parameters;
    const CertificateDirectory directory(
        folder.path(),
        Settings().parameters(Parameters().trustRoot(authority()).handshakeTimeout(3s).closeTimeout(2s)));
    CHECK(directory.handshakeTimeout() == 3s);
    CHECK(directory.closeTimeout() == 2s);
    CHECK_FALSE(shake(optionsForClientTLS("a.example", authority()), directory).ok());
    CHECK(shake(optionsForClientTLS("a.example", authority(), issued({"client.example"})), directory).ok());
    CHECK_THROWS_AS(Settings().parameters(Parameters(issued({"a.example"}))), TypeError);
    CHECK_THROWS_AS(directory.newSession(Role::client, {}), TypeError);
}

TEST_CASE("at the start all faults are told together (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    folder.put("b.pem", {"b.example", "a.example"});
    folder.write("c.pem", "this is not PEM");
    const ssl::Certificate certificate = issued({"d.example"});
    folder.write("d.pem", certificate.dumpPEM() + KeyPair::generate(KeyPair::Kind::ec).dumpPEM());
    folder.put("e.pem", Names{"127.0.0.1"});
    fs::create_symlink(folder.file("gone"), folder.file("f.pem"));
    const std::string text = errorOf(folder.path());
    CHECK(text.find("The certificates of '" + folder.path() + "' cannot be served: ") == 0);
    CHECK(contains(text, "b.pem: its name 'a.example' is served from '" + folder.file("a.pem") + "' already"));
    CHECK(contains(text, "c.pem: This is not PEM data"));
    CHECK(contains(text, "d.pem: Certificate public and private keys do not match"));
    CHECK(contains(text, "e.pem: its certificate has no DNS name"));
    CHECK(contains(text, "f.pem"));
    CHECK_FALSE(contains(text, "a.pem: "));

    const Folder empty;
    CHECK(contains(errorOf(empty.path()), "there is no file whose name ends in .pem"));
    CHECK_THROWS_AS(CertificateDirectory(empty.file("none")), std::system_error);
}

TEST_CASE("a file may have as many octets as is allowed, and none more (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    const std::size_t size = fs::file_size(folder.file("a.pem"));
    CHECK(errorOf(folder.path(), Settings().largestFile(size + 1)) == "no error");
    CHECK(errorOf(folder.path(), Settings().largestFile(size)) == "no error");
    CHECK(contains(errorOf(folder.path(), Settings().largestFile(size - 1)),
                   "files of more than " + std::to_string(size - 1) + " are not read"));
    CHECK_THROWS_AS(Settings().largestFile(0), ValueError);
}

TEST_CASE("one certificate in two files is no fault, such as a link to the default (SNI)") {
    const Folder folder;
    const auto a = folder.put("a.pem", {"a.example"});
    fs::create_symlink("a.pem", folder.file("default.pem"));
    CertificateDirectory directory(folder.path());
    CHECK(shown(directory, "other.example") == a.serialNumber());
    const auto renewed = folder.put("a.pem", {"a.example"});
    CHECK(directory.reload());
    CHECK(shown(directory, "a.example") == renewed.serialNumber());
    CHECK(shown(directory, "other.example") == renewed.serialNumber());
}

TEST_CASE("a reload shows in all handles, and in new connections only (SNI)") {
    const Folder folder;
    const auto old = folder.put("a.pem", {"a.example"});
    CertificateDirectory directory(folder.path());
    const auto handle = directory.share();
    const std::unique_ptr<Session> waiting = handle->newSession(Role::server, {});

    TLSPair pair;
    pair.serve(*handle);
    pair.connectWith(optionsForClientTLS("a.example", authority()));
    pair.up();
    const auto renewed = folder.put("a.pem", {"a.example"});
    folder.put("b.pem", {"b.example"});
    CHECK(shown(*handle, "a.example") == old.serialNumber());
    CHECK(directory.reload());
    CHECK(shown(*handle, "a.example") == renewed.serialNumber());
    CHECK_FALSE(refused(*handle, "b.example"));

    pair.inTurn([&] { pair.client->transport().write("still here"); });
    pair.flush();
    CHECK(pair.server->received == "still here");
    CHECK(pair.client->ssl().getPeerCertificate()->serialNumber() == old.serialNumber());
}

TEST_CASE("a reload takes what is good, and keeps what was there for the rest (SNI)") {
    const Folder folder;
    const auto a = folder.put("a.pem", {"a.example"});
    folder.put("b.pem", {"b.example"});
    CertificateDirectory directory(folder.path());
    const Log log;

    folder.write("a.pem", "half of a fi");
    const auto b = folder.put("b.pem", {"b.example"});
    folder.write("c.pem", "nothing");
    CHECK_FALSE(directory.reload());
    REQUIRE(directory.faults().size() == 2);
    CHECK(contains(directory.faults()[0], "a.pem: This is not PEM data"));
    CHECK(contains(directory.faults()[1], "c.pem: This is not PEM data"));
    REQUIRE(log.warnings.size() == 2);
    CHECK(contains(log.warnings[0], "a.pem: This is not PEM data"));
    CHECK(contains(log.warnings[0], "what was served before is kept"));
    CHECK(shown(directory, "a.example") == a.serialNumber());
    CHECK(shown(directory, "b.example") == b.serialNumber());

    const auto good = folder.put("a.pem", {"a.example"});
    folder.remove("c.pem");
    CHECK(directory.reload());
    CHECK(directory.faults().empty());
    CHECK(shown(directory, "a.example") == good.serialNumber());
}

TEST_CASE("files that are gone are served no more, unless nothing would be left (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    const auto b = folder.put("b.pem", {"b.example"});
    CertificateDirectory directory(folder.path());
    const Log log;
    folder.remove("a.pem");
    CHECK(directory.reload());
    CHECK(refused(directory, "a.example"));
    folder.remove("b.pem");
    CHECK_FALSE(directory.reload());
    CHECK(shown(directory, "b.example") == b.serialNumber());
    CHECK(contains(directory.faults().front(), "there is no file whose name ends in .pem"));
    fs::remove_all(folder.path());
    CHECK_FALSE(directory.reload());
    CHECK(shown(directory, "b.example") == b.serialNumber());
    CHECK(contains(directory.faults().front(), folder.path()));
}

TEST_CASE("a name stays with the file that has it (SNI)") {
    const Folder folder;
    const auto m = folder.put("m.pem", {"m.example"});
    const auto z = folder.put("z.pem", {"z.example"});
    CertificateDirectory directory(folder.path());
    const Log log;
    folder.put("a.pem", {"m.example", "a.example"});  // earlier in the alphabet, which does not count
    folder.put("z.pem", {"z.example", "m.example"});
    CHECK_FALSE(directory.reload());
    CHECK(directory.faults().size() == 2);
    CHECK(shown(directory, "m.example") == m.serialNumber());
    CHECK(shown(directory, "z.example") == z.serialNumber());
    CHECK(refused(directory, "a.example"));
    folder.remove("m.pem");  // now both claim what is nobody's
    CHECK_FALSE(directory.reload());
    CHECK(contains(directory.faults().front(), "z.pem: its name 'm.example' is served from"));
    CHECK_FALSE(refused(directory, "a.example"));
    CHECK(shown(directory, "z.example") == z.serialNumber());
}

TEST_CASE("a default that can no longer be used stays as it was (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    const auto otherwise = folder.put("main.pem", {"main.example"});
    CertificateDirectory directory(folder.path(), Settings().defaultFile("main.pem"));
    const Log log;
    folder.write("main.pem", "nothing");
    CHECK_FALSE(directory.reload());
    CHECK(shown(directory, "") == otherwise.serialNumber());
    folder.remove("main.pem");
    CHECK_FALSE(directory.reload());
    CHECK(shown(directory, "") == otherwise.serialNumber());
    CHECK(shown(directory, "main.example") == otherwise.serialNumber());  // as any unknown name now

    // A stale copy of a file that was renewed.
    const Folder copies;
    const auto old = copies.put("a.pem", {"a.example"});
    copies.write("default.pem", old.dumpPEM());
    CertificateDirectory copied(copies.path());
    const auto renewed = copies.put("a.pem", {"a.example"});
    CHECK_FALSE(copied.reload());
    CHECK(shown(copied, "a.example") == renewed.serialNumber());
    CHECK(shown(copied, "") == old.serialNumber());
    CHECK(contains(copied.faults().front(), "default.pem: its name 'a.example' is served from"));
}

TEST_CASE("what has not changed keeps its recipe, so its sessions can be resumed (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    folder.put("default.pem", {"d.example"});
    CertificateDirectory directory(folder.path(),
                                   Settings().parameters(CertificateOptions::Parameters().enableSessionTickets(true)));
    const auto sessionContext = [&] {
        const auto session = directory.newSession(Role::server, {});
        return SSL_get_SSL_CTX(session->native());
    };
    SSL_CTX* const before = sessionContext();
    folder.put("a.pem", {"a.example"});
    folder.write("default.pem", readFile(folder.file("default.pem")));
    CHECK(directory.reload());
    CHECK(sessionContext() == before);
    folder.put("default.pem", {"d.example"});
    CHECK(directory.reload());
    CHECK(sessionContext() != before);
}

TEST_CASE("with keys of the caller's, tickets outlive even a new default (SNI)") {
    for (const TLSVersion version : kVersions) {
        CAPTURE(static_cast<int>(version));
        const Folder folder;
        folder.put("a.pem", {"a.example"});
        folder.put("default.pem", {"d.example"});
        const TicketKeys keys;
        CertificateDirectory directory(folder.path(),
                                       Settings().parameters(CertificateOptions::Parameters().ticketKeys(keys)));
        const auto extra = CertificateOptions::Parameters().enableSessionTickets(true).lowerMaximumSecurityTo(version);
        const auto client = optionsForClientTLS("a.example", authority(), {}, {}, extra);
        const Handshake first = shake(client, directory);  // kept: a session that is cut off is not resumed
        CHECK_FALSE(first.server->reused());
        folder.put("default.pem", {"d.example"});
        CHECK(directory.reload());
        const Handshake resumed = shake(client, directory);
        CHECK(resumed.ok());
        CHECK(resumed.server->reused());
        folder.put("a.pem", {"a.example"});
        CHECK(directory.reload());
        const Handshake renewed = shake(client, directory);
        CHECK(renewed.ok());
        CHECK_FALSE(renewed.server->reused());  // another certificate is another server
    }
}

TEST_CASE("files are read again only if something has changed (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    CertificateDirectory directory(folder.path());
    const Log log;
    CHECK_FALSE(directory.reloadIfChanged());
    const auto renewed = folder.put("a.pem", {"a.example"});
    CHECK(directory.reloadIfChanged());
    CHECK_FALSE(directory.reloadIfChanged());
    CHECK(shown(directory, "a.example") == renewed.serialNumber());
    folder.write("b.pem", "nothing");
    CHECK(directory.reloadIfChanged());
    CHECK_FALSE(directory.reloadIfChanged());  // and is not logged again
    CHECK(log.warnings.size() == 1);
    folder.put("b.pem", {"b.example"});
    CHECK(directory.reloadIfChanged());
    CHECK(directory.faults().empty());
    folder.remove("b.pem");
    CHECK(directory.reloadIfChanged());
    CHECK(refused(directory, "b.example"));

    fs::rename(folder.path(), folder.path() + "x");
    CHECK(directory.reloadIfChanged());
    CHECK_FALSE(directory.reloadIfChanged());
    CHECK(log.warnings.size() == 2);
    CHECK(shown(directory, "a.example") == renewed.serialNumber());
    fs::rename(folder.path() + "x", folder.path());
    CHECK(directory.reloadIfChanged());
    CHECK(directory.faults().empty());
}

TEST_CASE("a watch looks at its interval, for as long as it lives (SNI)") {
    const Folder folder;
    folder.put("a.pem", {"a.example"});
    const CertificateDirectory directory(folder.path());
    task::Clock clock;
    {
        const CertificateWatch watch(clock, directory, 10s);
        const auto first = folder.put("a.pem", {"a.example"});
        clock.advance(9999ms);
        CHECK(shown(directory, "a.example") != first.serialNumber());
        clock.advance(1ms);
        CHECK(shown(directory, "a.example") == first.serialNumber());
        const auto second = folder.put("a.pem", {"a.example"});
        clock.advance(10s);
        CHECK(shown(directory, "a.example") == second.serialNumber());
        CHECK(clock.getDelayedCalls().size() == 1);
    }
    CHECK(clock.getDelayedCalls().empty());
    CHECK_THROWS_AS(CertificateWatch(clock, directory, 0s), ValueError);
    CHECK(clock.getDelayedCalls().empty());
}
