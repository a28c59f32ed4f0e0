// Ends, names and files where one rule meets another.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <torsion/core/error.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/tls/onion_fixture.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>
#include <torsion/tls/certificate_files.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/general_names.hpp>
#include <torsion/tls/server_name_map.hpp>

using namespace torsion;
using namespace torsion::test;
namespace fs = std::filesystem;

namespace {

/// A TLSApplication that goes on when one direction has ended.
class HalfClosing : public TLSApplication, public HalfCloseableProtocol {
public:
    void readConnectionLost() override {
        halves += 'r';
        if (onReadLost) onReadLost();
    }
    void writeConnectionLost() override { halves += 'w'; }
    void loseWrite() { transport().as<TCPTransport>().loseWriteConnection(); }

    std::string halves;  ///< r and w in the order of the calls
    std::function<void()> onReadLost;
};

struct HalfPair : TLSPair {
    explicit HalfPair(ssl::TLSVersion version = ssl::TLSVersion::TLSv1_3) : TLSPair(version) { server = half; }
    std::shared_ptr<HalfClosing> half = std::make_shared<HalfClosing>();
};

/// An application on an onion that goes on when one direction has ended.
class HalfOnionApplication : public OnionApplication, public HalfCloseableProtocol {
public:
    void readConnectionLost() override { diary.push_back("read lost"); }
    void writeConnectionLost() override { diary.push_back("write lost"); }
};

/// A request of someKey() for one DNS name, whatever its octets.
ssl::CertificateRequest requestFor(const std::string& dnsName) {
    using namespace torsion::ssl;
    const std::unique_ptr<X509_REQ, Freer<X509_REQ_free>> native(X509_REQ_new());
    X509_REQ_set_pubkey(native.get(), ssl::test::someKey().native());
    const GeneralNamesPointer names(sk_GENERAL_NAME_new_null());
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, dnsName.data(), static_cast<int>(dnsName.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names.get(), name);
    STACK_OF(X509_EXTENSION)* extensions = nullptr;
    REQUIRE(X509V3_add1_i2d(&extensions, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1);
    REQUIRE(X509_REQ_add_extensions(native.get(), extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    REQUIRE(X509_REQ_sign(native.get(), ssl::test::someKey().native(), EVP_sha256()) > 0);
    return CertificateRequest::fromNative(native.get());
}

}  // namespace

TEST_CASE("a producer finishes although the peer closes its side, too (TLS-20) (D6)") {
    for (const bool loseWrite : {true, false}) {
        CAPTURE(loseWrite);
        HalfPair pair;
        const auto peer = pair.engineClient();
        pair.up();
        const auto producer = std::make_shared<TestProducer>();
        pair.half->transport().registerProducer(producer, true);
        if (loseWrite) {
            pair.half->loseWrite();
        } else {
            pair.half->onReadLost = [&] { pair.half->transport().loseConnection(); };
        }
        pair.flush();
        peer->sendCloseNotify();
        pair.flush();
        CHECK(pair.half->halves == "r");
        CHECK(producer->calls.find('s') == std::string::npos);
        pair.half->transport().write("of the producer");
        pair.flush();
        CHECK(pair.half->lost == 0);
        pair.half->transport().unregisterProducer();
        pair.flush();
        CHECK(peer->received == "of the producer");
        CHECK(peer->heardClose);
        CHECK(pair.half->why() == "ConnectionDone");
    }
}

TEST_CASE("readConnectionLost may abort, pause, or write and half-close (TLS-20) (TLS-9)") {
    for (const int what : {0, 1, 2}) {
        CAPTURE(what);
        HalfPair pair;
        const auto peer = pair.engineClient();
        pair.up();
        pair.half->onReadLost = [&] {
            if (what == 0) pair.half->transport().abortConnection();
            if (what == 1) pair.half->transport().pauseProducing();
            if (what == 2) {
                pair.half->transport().write("last");
                pair.half->loseWrite();
            }
        };
        peer->sendCloseNotify();
        pair.flush();
        if (what == 1) {
            CHECK(pair.half->lost == 0);
            pair.half->transport().loseConnection();
            pair.flush();
        }
        CHECK(pair.half->halves == "r");
        CHECK(pair.half->why() == (what == 0 ? "ConnectionAborted" : "ConnectionDone"));
        CHECK(peer->received == (what == 2 ? "last" : ""));
        CHECK(peer->heardClose == (what != 0));
    }
}

TEST_CASE("data, close_notify and FIN that come to a paused reader are all there when it goes on (TLS-20)") {
    for (const bool halfCloseable : {true, false}) {
        CAPTURE(halfCloseable);
        HalfPair pair;
        const auto application = halfCloseable ? pair.server : std::make_shared<TLSApplication>();
        pair.server = application;
        const auto peer = pair.engineClient();
        pair.up();
        application->onData = [&](BytesView) { application->transport().pauseProducing(); };
        const Bytes all = peer->sealed([&] {
            peer->say("one");
            peer->say("two");
            peer->sendCloseNotify();
        });
        peer->transport().write(all);
        peer->transport().as<TCPTransport>().loseWriteConnection();
        pair.flush();
        CHECK(application->received == "one");
        CHECK(application->lost == 0);
        application->onData = nullptr;
        application->transport().resumeProducing();
        pair.flush();
        CHECK(application->received == "onetwo");
        if (halfCloseable) {
            CHECK(application->lost == 0);
            application->transport().loseConnection();
            pair.flush();
        }
        CHECK(application->why() == "ConnectionDone");
    }
}

TEST_CASE("an onion's layer that ends is no half-close, whatever the application can do") {
    for (const bool passive : {true, false}) {
        CAPTURE(passive);
        OnionPair pair;
        const auto half = std::make_shared<HalfOnionApplication>();
        const auto onion = std::make_shared<OnionProtocol>(nullptr, half);
        testing::IOPump pump(pair.clientOnion = std::make_shared<OnionProtocol>(nullptr, pair.client), onion);
        half->onion().startTLS(pair.serverOptions, ssl::Role::server);
        pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
        pump.flush();
        REQUIRE(half->wrote("started 1"));
        (passive ? static_cast<OnionApplication&>(*pair.client) : *half).onion().stopTLS();
        pump.flush();
        CHECK(half->wrote("stopped 1"));
        CHECK_FALSE(half->wrote("read lost"));
        CHECK(half->onion().depth() == 0);
        pair.client->transport().write("in the clear");
        pump.flush();
        CHECK(half->last() == "data in the clear");
    }
}

TEST_CASE("a half-close of an onion is told once, when all layers have closed") {
    OnionPair pair;
    const auto half = std::make_shared<HalfOnionApplication>();
    const auto onion = std::make_shared<OnionProtocol>(nullptr, half);
    testing::IOPump pump(pair.clientOnion = std::make_shared<OnionProtocol>(nullptr, pair.client), onion);
    for (int i = 0; i < 2; ++i) {
        half->onion().startTLS(pair.serverOptions, ssl::Role::server);
        pair.client->onion().startTLS(pair.clientOptions, ssl::Role::client);
        pump.flush();
    }
    REQUIRE(half->wrote("started 2"));
    half->transport().as<TCPTransport>().loseWriteConnection();
    pump.flush();
    CHECK(std::count(half->diary.begin(), half->diary.end(), "write lost") == 1);
}

TEST_CASE("a second ClientHello cannot ask for another server name (SNI) (RFC 8446, 4.1.2)") {
    using namespace torsion::ssl;
    const auto strict = CertificateOptions(
        CertificateOptions::Parameters(ssl::test::issued({"strict.example"})).trustRoot(ssl::test::authority()));
    const ServerNameMap map(ServerNameMap::Entries().add(ssl::test::issued({"open.example"}).options()).add(strict));
    for (const bool changes : {true, false}) {
        CAPTURE(changes);
        ssl::test::Handshake both;
        both.client = insecureOptionsForClientTLS("open.example").newSession(Role::client, {});
        both.server = map.newSession(Role::server, {});
        REQUIRE(SSL_set1_groups_list(both.server->native(), "P-384") == 1);  // so that it asks for another key share
        BIO* clientSide = nullptr;
        BIO* serverSide = nullptr;
        REQUIRE(BIO_new_bio_pair(&clientSide, 1U << 20, &serverSide, 1U << 20) == 1);
        SSL_set_bio(both.client->native(), clientSide, clientSide);
        SSL_set_bio(both.server->native(), serverSide, serverSide);
        ssl::test::advance(*both.client, both.clientDone, both.clientFailure);
        if (changes) SSL_set_tlsext_host_name(both.client->native(), "strict.example");
        for (int i = 0; i < 8; ++i) {
            ssl::test::advance(*both.server, both.serverDone, both.serverFailure);
            ssl::test::advance(*both.client, both.clientDone, both.clientFailure);
        }
        CHECK(both.ok() == !changes);
        if (both.ok()) CHECK(both.server->serverName() == "open.example");
        if (changes) CHECK(both.clientText().find("illegal") != std::string::npos);
    }
}

TEST_CASE("a certificate speaks for no other names than the request that was approved (CFG-13)") {
    const auto issuedFor = [](const std::string& name) {
        return ssl::test::authority().signRequestObject(requestFor(name)).subjectAltNames();
    };
    CHECK(issuedFor("bank.example") == std::vector<std::string>{"bank.example"});
    CHECK(issuedFor("*.bank.example") == std::vector<std::string>{"*.bank.example"});
    CHECK(issuedFor("Bank.Example") == std::vector<std::string>{"bank.example"});  // case is nobody's difference
    // What a callback that knows its names would take for somebody else's.
    for (const char* name : {"\xEF\xBD\x82"
                             "ank.example",  // a wide b
                             "bank\xE3\x80\x82"
                             "example",  // an ideographic full stop
                             "b\xC3\xBC"
                             "cher.example",  // a U-label: dNSName is ASCII
                             "bank.example.", "::1%bank"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(issuedFor(name), ValueError);
    }
}

TEST_CASE("a callback approves of no field of a subject that its distinguished name does not show (CFG-13)") {
    using namespace torsion::ssl;
    const std::unique_ptr<X509_REQ, Freer<X509_REQ_free>> native(X509_REQ_new());
    X509_REQ_set_pubkey(native.get(), ssl::test::someKey().native());
    X509_NAME* subject = X509_REQ_get_subject_name(native.get());
    const auto add = [&](const char* field, const char* value) {
        REQUIRE(X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value),
                                           -1, -1, 0) == 1);
    };
    add("CN", "guest");
    add("UID", "root");
    REQUIRE(X509_REQ_sign(native.get(), ssl::test::someKey().native(), EVP_sha256()) > 0);
    const Bytes der = CertificateRequest::fromNative(native.get()).dump();
    const auto byName = [](const DistinguishedName& name) { return name == DistinguishedName{{"CN", "guest"}}; };
    CHECK_THROWS_AS(ssl::test::authority().signCertificateRequest(der, byName), VerifyError);
    const auto byRequest = [](const CertificateRequest&) { return true; };
    CHECK_FALSE(ssl::test::authority().signCertificateRequest(der, byRequest).empty());
}

TEST_CASE("a pipe in a folder of trust roots is passed over (ES-5)") {
    const TemporaryFolder folder;
    REQUIRE(::mkfifo(folder.file("a.pem").c_str(), 0600) == 0);
    CHECK_THROWS_AS(ssl::trustRootFromDirectory(folder.path()), ValueError);
    folder.write("b.pem", ssl::test::authority().Certificate::dumpPEM());
    CHECK(ssl::trustRootFromDirectory(folder.path()).authorities().size() == 1);
}

TEST_CASE("a server knows the name that a client asked for also when a session is resumed (SNI) (TLS-18)") {
    using namespace torsion::ssl;
    for (const TLSVersion version : torsion::test::kVersions) {
        const auto parameters = CertificateOptions::Parameters(ssl::test::exampleCertificate())
                                    .enableSessionTickets(true)
                                    .lowerMaximumSecurityTo(version);
        const auto client = optionsForClientTLS("example.com", ssl::test::exampleCertificate(), std::nullopt, {},
                                                CertificateOptions::Parameters().enableSessionTickets(true));
        const CertificateOptions one(parameters);
        const ServerNameMap several(ServerNameMap::Entries().add(one));
        for (const ContextFactory* server :
             {static_cast<const ContextFactory*>(&one), static_cast<const ContextFactory*>(&several)}) {
            for (const bool resumed : {false, true}) {
                ssl::test::Handshake both = ssl::test::shake(client, *server);
                REQUIRE(both.ok());
                CHECK((both.server->reused() || !resumed));
                CHECK(both.server->serverName() == "example.com");
                SSL_shutdown(both.client->native());
                SSL_shutdown(both.server->native());
            }
        }
        const ssl::test::Handshake nameless = ssl::test::shake(insecureOptionsForClientTLS(), one);
        CHECK_FALSE(nameless.server->serverName().has_value());
    }
}

TEST_CASE("what is in a folder of certificates cannot block a reload, nor fill the memory (SNI)") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.pem");
    const auto problem = [&](const ssl::CertificateFile& file) {
        try {
            ssl::loadCertificateFile(file, 1000);
        } catch (const std::exception& error) {
            return std::string(error.what());
        }
        return std::string("none");
    };
    std::ofstream(path) << std::string(1000, 'x');
    const ssl::CertificateFile seen = ssl::lookAtFile(path);
    CHECK(problem(seen).find("octets") == std::string::npos);
    std::ofstream(path, std::ios::app) << 'x';  // since it was looked at
    CHECK(problem(seen).find("files of more than 1000 are not read") != std::string::npos);
    fs::remove(path);
    fs::create_symlink("/proc/self/maps", path);  // says that it is empty
    CHECK(problem(ssl::lookAtFile(path)).find("files of more than 1000 are not read") != std::string::npos);
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(problem(seen).find("is no file") != std::string::npos);
}

TEST_CASE("a lifetime beyond what the clock can count ends where it ends (CFG-12)") {
    const ssl::Validity longest(std::chrono::hours(24 * 365 * 1000));
    CHECK(longest.until() > longest.from());
    const auto certificate =
        ssl::test::someKey().selfSignedCert(1, ssl::DistinguishedName{{"CN", "for ever"}}, {}, longest);
    CHECK(X509_cmp_current_time(X509_get0_notAfter(certificate.native())) > 0);
}

TEST_CASE("established() that connectionMade asks for waits for connectionMade to return (TLS-1)") {
    TLSPair pair;
    const auto build = [](const ssl::ContextFactory& options, ssl::Role role, const std::shared_ptr<Protocol>& inner) {
        return std::make_shared<TLSMemoryBIOFactory>(options, role, std::make_shared<OneProtocolFactory>(inner),
                                                     ConnectionMade::afterHandshake)
            ->buildProtocol(Address());
    };
    pair.clientOutside = build(*pair.clientOptions, ssl::Role::client, pair.client);
    pair.serverOutside = build(*pair.serverOptions, ssl::Role::server, pair.server);
    bool inside = false;
    bool fired = false;
    pair.client->onMade = [&] {
        inside = true;
        static_cast<TLSMemoryBIOProtocol&>(*pair.clientOutside).established().addCallback([&] {
            CHECK_FALSE(inside);
            fired = true;
        });
        inside = false;
    };
    pair.start();
    pair.flush();
    CHECK(fired);
    pair.client->transport().loseConnection();
    pair.flush();
}

namespace {

/// A client of a server that demands certificates, so that its tickets are long, and sends them in small records.
struct FragmentingServer {
    FragmentingServer() {
        auto parameters = serverParameters();
        parameters.trustRoot(ssl::test::authority()).enableSessionTickets(true);
        pair.serve(ssl::CertificateOptions(parameters));
        const auto mine = ssl::test::issued({"client.example"});
        pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), mine));
        peer = pair.engineServer();
        SSL* const native = peer->engine.session().native();
        REQUIRE(SSL_set_max_send_fragment(native, 512) == 1);
        pair.start();
        pair.flush();
        REQUIRE(pair.client->handshakes == 1);
        ticket = peer->sealed([&] {
            REQUIRE(SSL_new_session_ticket(native) == 1);
            REQUIRE(SSL_do_handshake(native) == 1);
        });
        const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(ticket[i]); };
        firstRecord = 5 + (static_cast<std::size_t>(octet(3)) << 8U | octet(4));
        REQUIRE(firstRecord < ticket.size());
    }
    void deliver(BytesView part) {
        peer->transport().write(part);
        pair.flush();
    }

    TLSPair pair;
    std::shared_ptr<EnginePeer> peer;
    Bytes ticket;
    std::size_t firstRecord = 0;
};

}  // namespace

TEST_CASE("what is written while the peer's ticket is here in part only waits for the rest of it") {
    FragmentingServer f;
    f.deliver(BytesView(f.ticket).substr(0, f.firstRecord));
    f.pair.client->transport().write("small");
    f.pair.client->transport().write(Bytes(40000, 'L'));
    f.pair.flush();
    CHECK(f.peer->received.empty());
    CHECK(f.pair.client->transport().as<TCPTransport>().bufferedBytes() == 40005);
    CHECK(f.pair.client->lost == 0);
    SUBCASE("and then goes out in order") {
        f.deliver(BytesView(f.ticket).substr(f.firstRecord));
        CHECK(f.peer->received == "small" + std::string(40000, 'L'));
        f.pair.client->transport().write("more");
        f.pair.flush();
        CHECK(f.peer->received.ends_with("more"));
    }
    SUBCASE("and a close waits behind it") {
        f.pair.client->transport().loseConnection();
        f.pair.flush();
        CHECK(!f.peer->heardClose);
        f.deliver(BytesView(f.ticket).substr(f.firstRecord));
        CHECK(f.peer->received.size() == 40005);
        CHECK(f.peer->heardClose);
    }
    SUBCASE("and a close does not wait for ever") {
        f.pair.client->transport().loseConnection();
        f.pair.flush();
        f.pair.pump->clock().advance(f.pair.clientOptions->closeTimeout());
        f.pair.flush();
        CHECK(f.pair.client->why() == "TLSCloseTimeout");
    }
    SUBCASE("and an abort does not wait at all") {
        f.pair.client->transport().abortConnection();
        f.pair.flush();
        CHECK(f.pair.client->why() == "ConnectionAborted");
    }
}

TEST_CASE("a client may write between any two octets of the peer's tickets") {
    TLSPair pair;
    auto parameters = serverParameters();
    parameters.trustRoot(ssl::test::authority()).enableSessionTickets(true);
    pair.serve(ssl::CertificateOptions(parameters));
    const auto mine = ssl::test::issued({"client.example"});
    pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), mine));
    pair.serverOutside = underTLS(*pair.serverOptions, ssl::Role::server, pair.server);
    SSL* const native = static_cast<TLSMemoryBIOProtocol&>(*pair.serverOutside).session().native();
    REQUIRE(SSL_set_max_send_fragment(native, 512) == 1);
    pair.start();
    pair.pump->setSegmentation(testing::segmentation::atMost(1));
    std::size_t written = 0;
    for (int step = 0; step < 6000; ++step) {
        pair.pump->pump();
        if (pair.client->handshakes == 1) {
            pair.inTurn([&] { pair.client->transport().write("x"); });
            ++written;
        }
    }
    pair.flush();
    REQUIRE(written > 1000);
    CHECK(pair.server->received == std::string(written, 'x'));
    CHECK(pair.client->lost == 0);
}
