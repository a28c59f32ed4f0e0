#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/transports/endpoint_certificates.hpp>
#include <torsion/transports/endpoint_description.hpp>
#include <torsion/transports/endpoint_strings.hpp>

#include "../outcome.hpp"
#include "../temporary_folder.hpp"
#include "../tls/credentials.hpp"
#include "../tls/handshake.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;
using torsion::endpoints::detail::loadTrustRoot;
using torsion::endpoints::detail::parseDescription;
using torsion::test::TemporaryFolder;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

class Quiet : public Protocol {};

auto quiet() {
    auto factory = Factory::forProtocol<Quiet>();
    factory->noisy = false;
    return factory;
}

class Strings {
public:
    /// What was asked of the reactor; options are null without TLS of the reactor's own.
    MemoryReactor::SSLClient client(const std::string& text) {
        static_cast<void>(Outcome(clientFromString(reactor, text)->connectFactory(quiet())));  // nobody waits for it
        return latest<MemoryReactor::SSLClient>(reactor.tcpClients, reactor.sslClients, reactor.connectors.back(),
                                                &MemoryReactor::TCPClient::connector);
    }
    MemoryReactor::SSLServer server(const std::string& text) {
        serverFromString(reactor, text)->listen(quiet());
        return latest<MemoryReactor::SSLServer>(reactor.tcpServers, reactor.sslServers, reactor.ports.back(),
                                                &MemoryReactor::TCPServer::listening);
    }

    MemoryReactor reactor;

private:
    template <class SSL, class TCP, class Thing>
    static SSL latest(const std::vector<TCP>& tcp, const std::vector<SSL>& ssl, const Thing& thing,
                      Thing TCP::*member) {
        return !ssl.empty() && ssl.back().*member == thing ? ssl.back() : SSL{tcp.back(), nullptr};
    }
};

template <class E>
std::string errorOf(const std::function<void()>& f) {
    try {
        f();
    } catch (const E& error) {
        return error.what();
    } catch (const std::exception& error) {
        return std::string("another error: ") + typeid(error).name() + ' ' + error.what();
    }
    return "no error";
}

template <class E>
std::string clientError(const std::string& text) {
    Strings strings;
    return errorOf<E>([&] { clientFromString(strings.reactor, text); });
}

template <class E>
std::string serverError(const std::string& text) {
    Strings strings;
    return errorOf<E>([&] { serverFromString(strings.reactor, text); });
}

using Names = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("fields are divided by colons, names by the first equals sign of a field (ES-1)") {
    const auto simple = parseDescription("a:b:d=1:c");
    CHECK(simple.type == "a");
    CHECK(simple.positional == Names{"b", "c"});
    CHECK(simple.named == Map{{"d", "1"}});
    CHECK(parseDescription("x:a=b=c").named == Map{{"a", "b=c"}});
    CHECK(parseDescription("x:a=").named == Map{{"a", ""}});
    CHECK(parseDescription("x:=a").named == Map{{"", "a"}});
    CHECK(parseDescription("x:").positional == Names{""});
    CHECK(parseDescription("x").positional.empty());
    CHECK(parseDescription("").type == "");
}

TEST_CASE("a backslash takes away the meaning of any character (ES-1)") {
    CHECK(parseDescription("x:a\\:b").positional == Names{"a:b"});
    CHECK(parseDescription("x:a\\=b").positional == Names{"a=b"});
    CHECK(parseDescription("x:k=a\\=b").named == Map{{"k", "a=b"}});
    CHECK(parseDescription("x:k\\:l=d\\:e").named == Map{{"k:l", "d:e"}});
    CHECK(parseDescription("x:a\\\\:b").positional == Names{"a\\", "b"});
    CHECK(parseDescription("x:\\a'\"").positional == Names{"a'\""});
}

TEST_CASE("a backslash at the end is an error that shows the string (ES-1)") {
    CHECK(clientError<ValueError>("tcp:a:80\\") == "endpoint 'tcp:a:80\\': the backslash at the end escapes nothing");
    CHECK(serverError<ValueError>("\\") == "endpoint '\\': the backslash at the end escapes nothing");
}

TEST_CASE("quoteStringArgument escapes backslash and colon, and nothing else (ES-1) (EN-4)") {
    CHECK(quoteStringArgument("some : path \\ with=both") == "some \\: path \\\\ with=both");
    CHECK(quoteStringArgument("") == "");
    for (const std::string text : {"::1", "a\\b", "\\:", "C:\\x=y"}) {
        CHECK(parseDescription("x:k=" + quoteStringArgument(text)).named == Map{{"k", text}});
    }
}

TEST_CASE("arguments come in order, then by name (ES-2)") {
    Strings strings;
    CHECK(strings.server("tcp:80").port == 80);
    const auto port = strings.server("tcp:80:127.0.0.1:7");
    CHECK(port.interface == "127.0.0.1");
    CHECK(port.backlog == 7);
    const auto named = strings.server("tcp:port=81:backlog=8");
    CHECK(named.port == 81);
    CHECK(named.backlog == 8);
    CHECK(named.interface == "");
    CHECK(strings.server("tcp:interface=10.0.0.1:82").port == 82);
    CHECK(strings.server("tcp:0").backlog == 50);
}

TEST_CASE("a client's host and port may be named in any combination (ES-2, ES-4)") {
    Strings strings;
    for (const char* text :
         {"tcp:www.example.com:80", "tcp:host=www.example.com:port=80", "tcp:host=www.example.com:80",
          "tcp:www.example.com:port=80", "tcp:port=80:www.example.com", "TCP:www.example.com:80"}) {
        CAPTURE(text);
        const auto connector = strings.client(text);
        CHECK(connector.host == "www.example.com");
        CHECK(connector.port == 80);
        CHECK(connector.timeout == 30s);
        CHECK(connector.bindAddress == Address());
    }
    const auto full = strings.client("tcp:www:80:timeout=9:bindAddress=192.0.2.100");
    CHECK(full.timeout == 9s);
    CHECK(full.bindAddress == IPv4Address("192.0.2.100", 0));
}

TEST_CASE("missing, extra, unknown and doubled arguments are TypeErrors that say which (ES-2)") {
    CHECK(serverError<TypeError>("tcp") ==
          "endpoint 'tcp': argument 'port' is missing; tcp takes port, interface, backlog");
    CHECK(serverError<TypeError>("tcp:1::2:3") ==
          "endpoint 'tcp:1::2:3': argument '3' is one too many; tcp takes port, interface, backlog");
    CHECK(serverError<TypeError>("tcp:1:colour=red") ==
          "endpoint 'tcp:1:colour=red': unknown argument 'colour'; tcp takes port, interface, backlog");
    CHECK(serverError<TypeError>("tcp:1:port=2") == "endpoint 'tcp:1:port=2': argument 'port' is given twice");
    CHECK(serverError<TypeError>("tcp:1:backlog=2:backlog=3") ==
          "endpoint 'tcp:1:backlog=2:backlog=3': argument 'backlog' is given twice");
    CHECK(clientError<TypeError>("tcp:host") ==
          "endpoint 'tcp:host': argument 'port' is missing; tcp takes host, port, timeout, bindAddress");
    CHECK(clientError<TypeError>("tcp").find("'host' is missing") != std::string::npos);
    CHECK(clientError<TypeError>("tcp:h:1:2").find("'2' is one too many") != std::string::npos);
    CHECK(clientError<TypeError>("tcp:h:1:host=h").find("'host' is given twice") != std::string::npos);
    CHECK(clientError<TypeError>("tls:h").find("'port' is missing") != std::string::npos);
}

TEST_CASE("an unknown type is a ValueError that lists the known ones (ES-2)") {
    // Other tests register prefixes of their own, which are in the list, too.
    const auto lists = [](const std::string& text, const std::string& start, const Names& types) {
        CHECK(text.substr(0, start.size()) == start);
        for (const std::string& type : types) {
            CAPTURE(type);
            CHECK((text.substr(start.size()) + ',').find(' ' + type + ',') != std::string::npos);
        }
    };
    lists(clientError<ValueError>("ftp:h:1"),
          "endpoint 'ftp:h:1': unknown endpoint type: 'ftp'; known client types:", {"ssl", "tcp", "tls", "unix"});
    lists(serverError<ValueError>("ftp:1"), "endpoint 'ftp:1': unknown endpoint type: 'ftp'; known server types:",
          {"fd", "ssl", "systemd", "tcp", "tcp6", "tls", "txsni", "unix"});
    CHECK(serverError<ValueError>("").find("unknown endpoint type: ''") != std::string::npos);
    CHECK(clientError<ValueError>("host=h:tcp").find("begins with an argument") != std::string::npos);
    CHECK(clientError<ValueError>("a\nb").find("'a\\x0ab'") != std::string::npos);
}

TEST_CASE("client types in any case of letters; of the servers only tcp6, as in Twisted (ES-2)") {
    Strings strings;
    CHECK(strings.client("tCp:h:1").port == 1);
    CHECK(strings.server("TCP6:1").interface == "::");
    CHECK(serverError<ValueError>("TCP:1").find("unknown endpoint type") != std::string::npos);
}

TEST_CASE("numbers are checked, and the error says which one and where (ES-2)") {
    CHECK(serverError<ValueError>("tcp:http") == "endpoint 'tcp:http': port: 'http' is not a number from 0 to 65535");
    CHECK(serverError<ValueError>("tcp:").find("port: '' is not") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:65536").find("port: '65536' is not") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:-1").find("port: '-1' is not") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:80x").find("port: '80x' is not") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:99999999999999999999").find("port") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:1:backlog=-1").find("backlog: '-1'") != std::string::npos);
    CHECK(clientError<ValueError>("tcp:h:1:timeout=0").find("timeout: '0'") != std::string::npos);
    CHECK(clientError<ValueError>("tcp:h:1:timeout=soon").find("timeout: 'soon'") != std::string::npos);
    CHECK(serverError<ValueError>("tcp:65535") == "no error");
}

TEST_CASE("an impossible host name is refused with its place (ES-2)") {
    CHECK(clientError<ValueError>("tcp::80") == "endpoint 'tcp::80': host: invalid hostname: '' is empty");
    CHECK(clientError<ValueError>("tls:a..b:80").find("host: invalid hostname: 'a..b'") != std::string::npos);
}

TEST_CASE("an IPv6 literal is escaped; interface and bindAddress take no names (ES-6)") {
    Strings strings;
    CHECK(strings.client("tcp:\\:\\:1:80").host == "::1");
    CHECK(strings.server("tcp6:80").interface == "::");
    CHECK(strings.server("tcp6:80:interface=\\:\\:1").interface == "::1");
    CHECK(strings.server("tcp6:80:9").backlog == 9);
    CHECK(serverError<ValueError>("tcp:80:interface=localhost") ==
          "endpoint 'tcp:80:interface=localhost': interface: 'localhost' is not a literal IP address");
    CHECK(clientError<ValueError>("tcp:h:80:bindAddress=localhost").find("bindAddress: 'localhost'") !=
          std::string::npos);
    CHECK(serverError<TypeError>("tcp6:80:interface=::1").find("'interface' is given twice") != std::string::npos);
}

TEST_CASE("ssl: serves with the certificate and key of one file or two (ES-3)") {
    Strings strings;
    const TemporaryFolder folder;
    const auto& certificate = ssl::test::exampleCertificate();
    const std::string both = folder.write("server.pem", certificate.dumpPEM());
    const std::string key = folder.write("key.pem", certificate.privateKey().dumpPEM());
    const std::string cert = folder.write("cert.pem", static_cast<const ssl::Certificate&>(certificate).dumpPEM());
    const auto one =
        strings.server("ssl:443:privateKey=" + quoteStringArgument(both) + ":interface=127.0.0.1:backlog=3");
    CHECK(one.options->newSession(ssl::Role::server, {}) != nullptr);
    CHECK(one.interface == "127.0.0.1");
    CHECK(one.backlog == 3);
    const auto two = strings.server("ssl:443:" + quoteStringArgument(key) + ":" + quoteStringArgument(cert));
    CHECK(two.options != nullptr);
    const auto old = strings.server("ssl:443:" + quoteStringArgument(both) + ":sslmethod=TLSv1_2_METHOD");
    CHECK(old.options != nullptr);
    const auto chained =
        strings.server("ssl:443:" + quoteStringArgument(both) + ":extraCertChain=" + quoteStringArgument(cert));
    CHECK(chained.options != nullptr);
}

TEST_CASE("errors in the files of ssl: name the file (ES-3)") {
    const TemporaryFolder folder;
    const std::string junk = folder.write("junk.pem", "no certificate here");
    const auto& certificate = ssl::test::exampleCertificate();
    const std::string both = folder.write("server.pem", certificate.dumpPEM());
    const std::string other = folder.write("other.pem", ssl::test::otherKey().dumpPEM());
    CHECK(serverError<std::system_error>("ssl:443:" + folder.path() + "/none.pem").find("none.pem") !=
          std::string::npos);
    CHECK(serverError<ssl::Error>("ssl:443:" + junk).find("junk.pem") != std::string::npos);
    CHECK(serverError<VerifyError>("ssl:443:" + other + ":certKey=" + both).find("server.pem") != std::string::npos);
    CHECK(serverError<ValueError>("ssl:443:" + both + ":extraCertChain=" + junk).find("junk.pem") != std::string::npos);
    CHECK(serverError<ValueError>("ssl:443:" + both + ":dhParameters=" + junk).find("junk.pem") != std::string::npos);
    CHECK(serverError<ValueError>("ssl:443:" + both + ":sslmethod=SSLv2_METHOD").find("sslmethod: 'SSLv2_METHOD'") !=
          std::string::npos);
    CHECK(serverError<ValueError>("ssl:0x:" + junk).find("port") != std::string::npos);
}

TEST_CASE("ssl: clients verify a hostname, or say insecure=yes (ES-4, D16)") {
    Strings strings;
    const auto verifying = strings.client("ssl:localhost:443:hostname=example.com:timeout=4");
    CHECK(dynamic_cast<const ssl::ClientTLSOptions&>(*verifying.options).hostname() == "example.com");
    CHECK(verifying.timeout == 4s);
    const auto insecure = strings.client("ssl:localhost:443:insecure=yes");
    CHECK(dynamic_cast<const ssl::InsecureClientOptions*>(insecure.options.get()) != nullptr);
    CHECK(clientError<TypeError>("ssl:localhost:443") ==
          "endpoint 'ssl:localhost:443': the server is verified by its hostname, so give hostname=NAME, or "
          "insecure=yes to "
          "verify nothing");
    CHECK(clientError<TypeError>("ssl:localhost:443:insecure=no").find("give hostname=NAME") != std::string::npos);
    CHECK(clientError<ValueError>("ssl:localhost:443:insecure=maybe").find("'maybe' is neither") != std::string::npos);
    CHECK(clientError<TypeError>("ssl:localhost:443:insecure=yes:hostname=h").find("excludes hostname") !=
          std::string::npos);
    CHECK(clientError<ValueError>("ssl:localhost:443:hostname=a b").find("hostname: invalid") != std::string::npos);
}

TEST_CASE("client certificates come from one file or two (ES-4)") {
    Strings strings;
    const TemporaryFolder folder;
    const auto& certificate = ssl::test::exampleCertificate();
    const std::string both = quoteStringArgument(folder.write("client.pem", certificate.dumpPEM()));
    const std::string key = quoteStringArgument(folder.write("key.pem", certificate.privateKey().dumpPEM()));
    CHECK(strings.client("ssl:h:1:hostname=h:certKey=" + both).options != nullptr);
    CHECK(strings.client("ssl:h:1:hostname=h:certKey=" + both + ":privateKey=" + key).options != nullptr);
    CHECK(strings.client("ssl:h:1:insecure=yes:certKey=" + both).options != nullptr);
    CHECK(clientError<TypeError>("ssl:h:1:hostname=h:privateKey=" + key).find("of no use without certKey") !=
          std::string::npos);
    CHECK(clientError<ssl::Error>("ssl:h:1:hostname=h:certKey=" + key).find("key.pem") != std::string::npos);
}

TEST_CASE("trust roots are the .pem files of a folder, whatever else is there (ES-5)") {
    const TemporaryFolder folder;
    const auto& authority = ssl::test::authority();
    const std::string pem = static_cast<const ssl::Certificate&>(authority).dumpPEM();
    folder.write("a.pem", pem);
    folder.write("again.PEM", pem);
    folder.write("broken.pem", "nothing");
    folder.write("other.crt", static_cast<const ssl::Certificate&>(ssl::test::exampleCertificate()).dumpPEM());
    fs::create_directory(folder.path() + "/folder.pem");
    const auto roots = loadTrustRoot(folder.path()).authorities();
    REQUIRE(roots.size() == 1);
    CHECK(roots[0] == authority);
    Strings strings;
    CHECK(strings.client("ssl:h:1:hostname=h:caCertsDir=" + quoteStringArgument(folder.path())).options != nullptr);
}

TEST_CASE("a folder without certificates is refused; a file is read whole (ES-5)") {
    const TemporaryFolder folder;
    CHECK(errorOf<ValueError>([&] { loadTrustRoot(folder.path()); }).find(folder.path()) != std::string::npos);
    const std::string bundle =
        folder.write("bundle.crt", static_cast<const ssl::Certificate&>(ssl::test::authority()).dumpPEM() +
                                       static_cast<const ssl::Certificate&>(ssl::test::exampleCertificate()).dumpPEM());
    CHECK(loadTrustRoot(bundle).authorities().size() == 2);
    CHECK(errorOf<std::system_error>([&] { loadTrustRoot(folder.path() + "/none"); }).find("none") !=
          std::string::npos);
    const std::string junk = folder.write("junk.crt", "nothing");
    CHECK(errorOf<ssl::Error>([&] { loadTrustRoot(junk); }).find("junk.crt") != std::string::npos);
}

TEST_CASE("tls: looks the host up and binds to nothing unless told to (ES-4, ES-7)") {
    Strings strings;
    strings.reactor.memoryResolver().names["example.com"] = {"::1", "127.0.0.1"};
    const auto plain = strings.client("tls:example.com:443");
    CHECK(plain.host == "::1");
    CHECK(plain.port == 443);
    CHECK(plain.timeout == 30s);
    CHECK(plain.bindAddress == Address());
    const auto full = strings.client("tls:example.com:443:9:\\:\\:1");
    CHECK(full.timeout == 9s);
    CHECK(full.bindAddress == IPv6Address("::1", 0));
}

TEST_CASE("tls: goes over another endpoint if one is given (ES-4)") {
    Strings strings;
    const auto inner =
        strings.client("tls:example.com:443:endpoint=" + quoteStringArgument("tcp:127.0.0.1:8000:timeout=3"));
    CHECK(inner.host == "127.0.0.1");
    CHECK(inner.port == 8000);
    CHECK(inner.timeout == 3s);
    CHECK(clientError<ValueError>("tls:h:443:endpoint=ftp\\:x").find("endpoint 'ftp:x': unknown") != std::string::npos);
}

namespace {

/// The version and protocol that two recipes agree on; empty if they do not get together.
std::string agreed(const ssl::ContextFactory& client, const ssl::ContextFactory& server) {
    const ssl::test::Handshake result = ssl::test::shake(client, server);
    if (!result.ok()) return "";
    return result.server->version() + ' ' + result.server->negotiatedProtocol().value_or("none");
}

ssl::InsecureClientOptions client(ssl::TLSVersion newest = ssl::TLSVersion::TLSv1_3) {
    return ssl::insecureOptionsForClientTLS("example.com", {},
                                            ssl::CertificateOptions::Parameters().lowerMaximumSecurityTo(newest));
}

const char* const kBounds = "minimumTLS, maximumTLS, insecureMinimumTLS, protocols, connectionMade";

}  // namespace

TEST_CASE("versions can be bounded on both sides, what is insecure only by that name (ES-3, ES-4)") {
    using ssl::TLSVersion;
    Strings strings;
    const TemporaryFolder folder;
    const std::string pem = quoteStringArgument(folder.write("server.pem", ssl::test::exampleCertificate().dumpPEM()));
    const ssl::CertificateOptions any(ssl::test::exampleCertificate());
    for (const std::string& server : {"ssl:1:" + pem, "tls:" + pem}) {
        CAPTURE(server);
        CHECK(agreed(client(), *strings.server(server).options) == "TLSv1.3 none");
        CHECK(agreed(client(), *strings.server(server + ":maximumTLS=1.2").options) == "TLSv1.2 none");
        const auto newest = strings.server(server + ":minimumTLS=1.3").options;
        CHECK(agreed(client(), *newest) == "TLSv1.3 none");
        CHECK(agreed(client(TLSVersion::TLSv1_2), *newest) == "");
        CHECK(serverError<ValueError>(server + ":minimumTLS=1.1")
                  .find("minimumTLS: '1.1' is not secure; insecureMinimumTLS=1.1 takes it at your own risk") !=
              std::string::npos);
        CHECK(serverError<ValueError>(server + ":maximumTLS=1.1").find("maximumTLS: '1.1' is not secure") !=
              std::string::npos);
        CHECK(serverError<ValueError>(server + ":minimumTLS=2").find("'2' is none of 1.0, 1.1, 1.2, 1.3") !=
              std::string::npos);
        CHECK(serverError<ValueError>(server + ":minimumTLS=1.3:maximumTLS=1.2")
                  .find("maximumTLS: '1.2' is below minimumTLS") != std::string::npos);
        CHECK(serverError<TypeError>(server + ":minimumTLS=1.3:insecureMinimumTLS=1.0").find("excludes minimumTLS") !=
              std::string::npos);
        CHECK(serverError<ValueError>(server + ":insecureMinimumTLS=1.0:maximumTLS=1.1") == "no error");
    }
    CHECK(serverError<TypeError>("ssl:1:" + pem + ":sslmethod=TLSv1_2_METHOD:maximumTLS=1.2")
              .find("sslmethod excludes maximumTLS") != std::string::npos);
    for (const std::string text :
         {"ssl:h:1:insecure=yes", "ssl:h:1:hostname=example.com:caCertsDir=", "tls:example.com:1:trustRoots="}) {
        CAPTURE(text);
        strings.reactor.memoryResolver().names["example.com"] = {"127.0.0.1"};
        const std::string base = text.ends_with('=') ? text + pem : text;
        if (text.starts_with("tls")) {
            CHECK(clientError<ValueError>(base + ":maximumTLS=1.2") == "no error");
        } else {
            CHECK(agreed(*strings.client(base).options, any) == "TLSv1.3 none");
            CHECK(agreed(*strings.client(base + ":maximumTLS=1.2").options, any) == "TLSv1.2 none");
        }
        CHECK(clientError<ValueError>(base + ":minimumTLS=1.0").find("is not secure") != std::string::npos);
    }
}

TEST_CASE("application protocols can be given on both sides (TLS-16, ES-3, ES-4)") {
    Strings strings;
    const TemporaryFolder folder;
    const std::string pem = quoteStringArgument(folder.write("server.pem", ssl::test::exampleCertificate().dumpPEM()));
    const auto offering = ssl::insecureOptionsForClientTLS("example.com", {"http/1.1", "h2"});
    CHECK(agreed(offering, *strings.server("ssl:1:" + pem + ":protocols=h2,http/1.1").options) == "TLSv1.3 h2");
    CHECK(agreed(offering, *strings.server("tls:" + pem + ":protocols=http/1.1").options) == "TLSv1.3 http/1.1");
    const ssl::CertificateOptions server(
        ssl::CertificateOptions::Parameters(ssl::test::exampleCertificate()).acceptableProtocols({"h2"}));
    CHECK(agreed(*strings.client("ssl:h:1:insecure=yes:protocols=h2").options, server) == "TLSv1.3 h2");
    CHECK(agreed(*strings.client("ssl:h:1:hostname=example.com:protocols=h2:caCertsDir=" + pem).options, server) ==
          "TLSv1.3 h2");
    CHECK(clientError<ValueError>("tls:h:1:protocols=h2,,x").find("protocols: each name has") != std::string::npos);
    CHECK(clientError<ValueError>("tls:h:1:protocols=").find("protocols: each name has") != std::string::npos);
    CHECK(clientError<ValueError>("tls:h:1:protocols=" + std::string(256, 'x')).find("protocols") != std::string::npos);
    CHECK(clientError<ValueError>("tls:h:1:protocols=" + std::string(255, 'x')) == "no error");
}

TEST_CASE("tls: serves a folder of certificates by name, on port 443 of all interfaces (SNI, ES-3)") {
    Strings strings;
    const TemporaryFolder folder;
    folder.write("a.pem", ssl::test::issued({"a.example"}).dumpPEM());
    folder.write("default.pem", ssl::test::issued({"d.example"}).dumpPEM());
    const std::string path = quoteStringArgument(folder.path());
    const auto port = strings.server("tls:" + path);
    CHECK(port.port == 443);
    CHECK(port.interface == "::");
    CHECK(port.backlog == 50);
    const auto shown = [](const ssl::ContextFactory& server, const std::string& name) {
        const ssl::test::Handshake result = ssl::test::shake(ssl::insecureOptionsForClientTLS(name), server);
        return result.ok() ? result.client->peerCertificate()->subjectAltNames() : Names();
    };
    CHECK(shown(*port.options, "a.example") == Names{"a.example"});
    CHECK(shown(*port.options, "b.example") == Names{"d.example"});
    const auto positional = strings.server("TLS:" + path + ":8443:7:127.0.0.1");
    CHECK(positional.port == 8443);
    CHECK(positional.backlog == 7);
    CHECK(positional.interface == "127.0.0.1");
    CHECK(shown(*strings.server("tls:" + path + ":refuseUnknownNames=yes").options, "b.example").empty());
    CHECK(shown(*strings.server("tls:" + path + ":default=a.pem").options, "b.example") == Names{"a.example"});

    CHECK(serverError<TypeError>("tls") ==
          "endpoint 'tls': argument 'path' is missing; tls takes path, port, backlog, "
          "interface, endpoint, default, refuseUnknownNames, reload, " +
              std::string(kBounds));
    CHECK(serverError<ValueError>("tls:" + path + ":x").find("port: 'x' is not a number") != std::string::npos);
    CHECK(serverError<ValueError>("tls:" + path + ":default=a/b").find("default: 'a/b' cannot be a default") !=
          std::string::npos);
    CHECK(serverError<ValueError>("tls:" + path + ":refuseUnknownNames=1").find("'1' is neither yes nor no") !=
          std::string::npos);
    CHECK(serverError<std::system_error>("tls:" + path + "/none").find(folder.path() + "/none") != std::string::npos);
    folder.write("broken.pem", "nothing");
    CHECK(serverError<ssl::Error>("tls:" + path).find("broken.pem: This is not PEM") != std::string::npos);
}

TEST_CASE("tls: serves over another endpoint if one is given, as does txsni: (SNI, ES-3)") {
    Strings strings;
    const TemporaryFolder folder;
    folder.write("default.pem", ssl::test::exampleCertificate().dumpPEM());
    const std::string path = quoteStringArgument(folder.path());
    for (const std::string& text :
         {"tls:" + path + ":endpoint=tcp6\\:8443\\:interface=\\\\\\:\\\\\\:1",
          "txsni:" + path + ":tcp6:8443:interface=\\:\\:1", "TXSNI:" + path + ":tcp6:port=8443:interface=\\:\\:1"}) {
        CAPTURE(text);
        const auto port = strings.server(text);
        CHECK(port.port == 8443);
        CHECK(port.interface == "::1");
        CHECK(port.options == nullptr);  // TLS stands above it
    }
    CHECK(serverError<TypeError>("tls:" + path + ":endpoint=tcp\\:1:port=2").find("endpoint excludes port") !=
          std::string::npos);
    CHECK(serverError<ValueError>("tls:" + path + ":endpoint=ftp\\:1").find("endpoint 'ftp:1': unknown") !=
          std::string::npos);
    CHECK(serverError<TypeError>("txsni:" + path).find("argument 'endpoint' is missing") != std::string::npos);
    CHECK(serverError<TypeError>("txsni").find("argument 'path' is missing") != std::string::npos);
}

TEST_CASE("tls: looks for changed files for as long as something of it lives (SNI, ES-3)") {
    Strings strings;
    const TemporaryFolder folder;
    folder.write("default.pem", ssl::test::exampleCertificate().dumpPEM());
    const std::string text = "tls:" + quoteStringArgument(folder.path()) + ":reload=60";
    CHECK(strings.reactor.getDelayedCalls().empty());
    auto endpoint = serverFromString(strings.reactor, text);
    endpoint->listen(quiet());
    auto options = strings.reactor.sslServers.back().options;
    endpoint = nullptr;
    CHECK(ssl::test::shake(client(), *options).ok());
    folder.write("default.pem", ssl::test::issued({"new.example"}).dumpPEM());
    strings.reactor.advance(60s);
    const ssl::test::Handshake after = ssl::test::shake(client(), *options);
    REQUIRE(after.ok());
    CHECK(after.client->peerCertificate()->subjectAltNames() == Names{"new.example"});
    CHECK(strings.reactor.getDelayedCalls().size() == 1);
    options = nullptr;
    strings.reactor.sslServers.clear();
    strings.reactor.ports.clear();
    CHECK(strings.reactor.getDelayedCalls().empty());
    CHECK(serverError<ValueError>(text + "x").find("reload: '60x' is not a number") != std::string::npos);
}

TEST_CASE("connectionMade=afterHandshake in a string makes connected mean verified (TLS-1, ES-4)") {
    const TemporaryFolder folder;
    const std::string pem = quoteStringArgument(folder.write("server.pem", ssl::test::exampleCertificate().dumpPEM()));
    for (const std::string& text :
         {std::string("ssl:127.0.0.1:1:insecure=yes"), "ssl:127.0.0.1:1:hostname=example.com:caCertsDir=" + pem,
          "tls:example.com:1:endpoint=tcp\\:127.0.0.1\\:1:trustRoots=" + pem}) {
        CAPTURE(text);
        for (const bool after : {false, true}) {
            Strings strings;
            const std::string choice = after ? ":connectionMade=afterHandshake" : ":connectionMade=beforeHandshake";
            const Outcome outcome(clientFromString(strings.reactor, text + choice)->connectFactory(quiet()));
            strings.reactor.connectors.back()->succeed();
            CHECK(outcome.ok() == !after);
            strings.reactor.connectors.back()->lose(failureOf<ConnectionDone>());
            strings.reactor.flush();
            CHECK(outcome.fired());
            CHECK(outcome.ok() == !after);
        }
        CHECK(clientError<ValueError>(text + ":connectionMade=now")
                  .find("connectionMade: 'now' is neither beforeHandshake nor afterHandshake") != std::string::npos);
    }
    CHECK(serverError<ValueError>("ssl:1:" + pem + ":connectionMade=afterHandshake") == "no error");
    CHECK(serverError<ValueError>("tls:" + pem + ":connectionMade=never").find("connectionMade: 'never'") !=
          std::string::npos);
}
