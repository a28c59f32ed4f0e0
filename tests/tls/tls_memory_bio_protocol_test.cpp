// TLS over a transport: handshake, data, and what goes wrong. How a connection ends is in tls_close_test.cpp.

#include <torsion/tests/tls/tls_fixture.hpp>

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <torsion/core/log.hpp>
#include <torsion/tls/certificate.hpp>

using namespace torsion;
using namespace torsion::test;
namespace segmentation = torsion::testing::segmentation;

namespace {

std::vector<testing::Segmentation> cuts() {
    return {segmentation::whole(),    segmentation::byteByByte(), segmentation::atMost(5),
            segmentation::random(11), segmentation::random(12),   segmentation::coalesced()};
}

std::optional<int> alertOf(const TLSApplication& application) {
    const auto* error = application.reason ? application.reason->value<ssl::Error>() : nullptr;
    return error != nullptr ? error->alert() : std::nullopt;
}

}  // namespace

TEST_CASE("connectionMade comes before the handshake, when nothing is known of the peer (TLS-1)") {
    TLSPair pair;
    pair.client->onMade = [&] {
        CHECK(pair.client->handshakes == 0);
        CHECK(pair.client->ssl().getPeerCertificate() == nullptr);
        CHECK(!pair.client->ssl().negotiatedProtocol());
        CHECK(pair.client->ssl().tlsVersion().empty());
        CHECK(pair.client->ssl().tlsCipher().empty());
    };
    pair.start();
    CHECK(pair.client->made == 1);
    CHECK(pair.server->made == 1);
    CHECK(pair.client->handshakes == 0);
    pair.flush();
    CHECK(pair.client->handshakes == 1);
    REQUIRE(pair.client->ssl().getPeerCertificate());
    CHECK(*pair.client->ssl().getPeerCertificate() == ssl::test::exampleCertificate());
    CHECK(pair.client->ssl().tlsVersion() == "TLSv1.3");
    CHECK(!pair.client->ssl().tlsCipher().empty());
    CHECK(pair.server->ssl().getPeerCertificate() == nullptr);
}

TEST_CASE("if connectionMade ends the connection no hello goes out (TLS-2) (TLS-5)") {
    for (const bool abort : {true, false}) {
        TLSPair pair;
        pair.client->onMade = [&] {
            if (abort) {
                pair.client->transport().abortConnection();
            } else {
                pair.client->transport().loseConnection();
            }
            pair.client->transport().write("dropped");
        };
        pair.start();
        pair.flush();
        CHECK(pair.clientWire.wire.empty());
        CHECK(pair.client->why() == "ConnectionAborted");
        CHECK(pair.client->lost == 1);
        CHECK(pair.server->why() == "ConnectionLost");
        CHECK(pair.server->handshakes == 0);
    }
}

TEST_CASE("writes in connectionMade wait for the handshake, and arrive in order (TLS-2) (TLS-4)") {
    for (const auto version : kVersions) {
        for (const auto& cut : cuts()) {
            TLSPair pair(version);
            pair.client->onMade = [&] {
                pair.client->transport().write("first of the client, ");
                pair.client->transport().write(Bytes("second"));
            };
            pair.server->onMade = [&] { pair.server->transport().write("the server's"); };
            pair.client->onHandshake = [&] { pair.client->transport().write(", third"); };
            pair.start();
            pair.pump->setSegmentation(cut);
            pair.flush();
            CHECK(pair.server->received == "first of the client, second, third");
            CHECK(pair.client->received == "the server's");
            CHECK(!pair.clientWire.contains("first"));
            CHECK(!pair.serverWire.contains("server's"));
            CHECK(pair.clientWire.types.front() == RecordLog::kHandshake);
        }
    }
}

TEST_CASE("a conversation and its end are the same however the stream is cut (TLS-3)") {
    const Bytes question = distinctOctets(40000);
    for (const auto version : kVersions) {
        for (const auto& cut : cuts()) {
            TLSPair pair(version);
            pair.server->onData = [&](BytesView data) {
                pair.server->transport().write(data);
                if (pair.server->received.size() == question.size()) pair.server->transport().loseConnection();
            };
            pair.client->onHandshake = [&] { pair.client->transport().write(question); };
            pair.start();
            pair.pump->setSegmentation(cut);
            pair.flush();
            CHECK(pair.server->received == question);
            CHECK(pair.client->received == question);
            CHECK(pair.client->why() == "ConnectionDone");
            CHECK(pair.server->why() == "ConnectionDone");
        }
    }
}

TEST_CASE("handshakeCompleted comes once, verified, and before any data (TLS-9) (TRN-6)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.client->onMade = [&] { pair.client->transport().write("early"); };
        pair.client->onHandshake = [&] { CHECK(pair.client->ssl().getPeerCertificate()); };
        pair.up();
        for (int i = 0; i < 3; ++i) {
            pair.client->transport().write("more");
            pair.server->transport().write("more");
            pair.flush();
        }
        CHECK(pair.client->handshakes == 1);
        CHECK(pair.server->handshakes == 1);
    }
}

TEST_CASE(
    "a wrong host name is the client's reason, an alert the server's, and no handshake is completed (TLS-9) (TLS-11) "
    "(D2)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.connectWith(ssl::optionsForClientTLS("example.org", ssl::test::exampleCertificate()));
        pair.client->onMade = [&] { pair.client->transport().write("secret"); };
        pair.start();
        pair.flush();
        CHECK(pair.client->why() == "VerificationError");
        CHECK(pair.client->handshakes == 0);
        CHECK(pair.server->handshakes == 0);
        CHECK(pair.server->why() == "Error");
        CHECK(alertOf(*pair.server) == 42);  // bad_certificate
        CHECK(!pair.client->reason->check<ConnectionClosed>());
        CHECK(pair.server->received.empty());
    }
}

TEST_CASE("an authority that is not trusted is the client's reason, unknown_ca the server's (TLS-11)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::authority()));
        pair.start();
        pair.flush();
        CHECK(pair.client->why() == "CertificateVerifyError");
        CHECK(alertOf(*pair.client) == std::nullopt);
        CHECK(pair.client->handshakes == 0);
        CHECK(pair.server->why() == "Error");
        CHECK(alertOf(*pair.server) == 48);
        CHECK(pair.server->handshakes == 0);
    }
}

TEST_CASE("a client certificate that is missing or refused: TLS 1.3 tells the client after its handshake (TLS-10)") {
    for (const auto version : kVersions) {
        for (const bool shown : {false, true}) {
            CAPTURE(shown);
            TLSPair pair(version);
            pair.serve(ssl::CertificateOptions(serverParameters(version).trustRoot(ssl::test::authority())));
            if (shown) {  // self-signed, not the authority's
                pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(),
                                                          ssl::test::exampleCertificate()));
            }
            pair.client->onMade = [&] { pair.client->transport().write("secret"); };
            pair.start();
            pair.flush();
            CHECK(pair.server->why() == (shown ? "CertificateVerifyError" : "Error"));
            CHECK(pair.server->handshakes == 0);
            CHECK(pair.server->received.empty());
            CHECK(pair.client->handshakes == (version == ssl::TLSVersion::TLSv1_3 ? 1 : 0));
            CHECK(pair.client->why() == "Error");
            CHECK(alertOf(*pair.client).has_value());
            CHECK(pair.client->lost == 1);
        }
    }
}

TEST_CASE("a client certificate that is wanted is known to the server from the handshake on (TLS-10)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const ssl::PrivateCertificate own = ssl::test::issued({"client.example"});
        pair.serve(ssl::CertificateOptions(serverParameters(version).trustRoot(ssl::test::authority())));
        pair.connectWith(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), own));
        pair.server->onHandshake = [&] {
            REQUIRE(pair.server->ssl().getPeerCertificate());
            CHECK(*pair.server->ssl().getPeerCertificate() == own);
        };
        pair.up();
        CHECK(pair.server->handshakes == 1);
    }
}

TEST_CASE("a peer that speaks no TLS, such as HTTP in the clear, is an ssl::Error to either role (TLS-11)") {
    for (const BytesView words : {BytesView("GET / HTTP/1.0\r\n\r\n"), BytesView("220 mail.example ESMTP\r\n")}) {
        for (const bool toServer : {true, false}) {
            TLSPair pair;
            const auto plain = std::make_shared<TLSApplication>();
            plain->onMade = [&] { plain->transport().write(words); };
            (toServer ? pair.clientOutside : pair.serverOutside) = plain;
            pair.start();
            pair.flush();
            TLSApplication& deceived = toServer ? *pair.server : *pair.client;
            CHECK(deceived.why() == "Error");
            CHECK(deceived.received.empty());
            CHECK(deceived.handshakes == 0);
            CHECK(plain->lost == 1);
        }
    }
}

TEST_CASE("many small writes of one turn become one record (TLS-14) (TRN-3)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.up();
        const int before = pair.clientWire.count(RecordLog::kApplicationData);
        pair.inTurn([&] {
            for (int i = 0; i < 1000; ++i) pair.client->transport().write("0123456789");
        });
        pair.flush();
        CHECK(pair.clientWire.count(RecordLog::kApplicationData) == before + 1);
        CHECK(pair.server->received.size() == 10000);
        // In dataReceived, too: they leave when it returns.
        const int answers = pair.serverWire.count(RecordLog::kApplicationData);
        pair.server->onData = [&](BytesView) {
            for (int i = 0; i < 10; ++i) pair.server->transport().write("x");
        };
        pair.client->transport().write("?");
        pair.flush();
        CHECK(pair.serverWire.count(RecordLog::kApplicationData) == answers + 1);
    }
}

TEST_CASE("gathered writes fill records of 16384 octets, at limit-1, limit and limit+1 (TLS-14)") {
    for (const std::size_t size : {std::size_t(16383), std::size_t(16384), std::size_t(16385), std::size_t(100000)}) {
        TLSPair pair;
        pair.up();
        const int before = pair.clientWire.count(RecordLog::kApplicationData);
        const Bytes sent = distinctOctets(size);
        pair.inTurn([&] {
            for (std::size_t at = 0; at < size; at += 100)
                pair.client->transport().write(BytesView(sent).substr(at, 100));
        });
        pair.flush();
        CHECK(pair.server->received == sent);
        const int records = pair.clientWire.count(RecordLog::kApplicationData) - before;
        CHECK(records >= static_cast<int>((size + 16383) / 16384));
        CHECK(records <= 2 * static_cast<int>((size + 16383) / 16384));
    }
}

TEST_CASE("ten megabytes in one write arrive whole (TLS-3)") {
    const Bytes sent = distinctOctets(10U << 20);
    for (const auto version : kVersions) {
        TLSPair pair(version);
        pair.client->onMade = [&] { pair.client->transport().write("head"); };
        pair.up();
        pair.inTurn([&] {
            pair.client->transport().write("a bit, ");
            pair.client->transport().write(sent);
            pair.client->transport().write(Bytes(sent));
            pair.client->transport().loseConnection();
        });
        pair.flush();
        CHECK(pair.server->received == "heada bit, " + sent + sent);
        CHECK(pair.client->why() == "ConnectionDone");
    }
}

TEST_CASE("ALPN: the server's order decides, and one side alone gets no protocol (TLS-16)") {
    const auto agreed = [](const std::vector<std::string>& ofServer, const std::vector<std::string>& ofClient) {
        TLSPair pair;
        pair.serve(ssl::CertificateOptions(serverParameters().acceptableProtocols(ofServer)));
        pair.connectWith(
            ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), std::nullopt, ofClient));
        pair.up();
        CHECK(pair.client->ssl().negotiatedProtocol() == pair.server->ssl().negotiatedProtocol());
        return pair.client->ssl().negotiatedProtocol();
    };
    CHECK(agreed({"h2", "http/1.1"}, {"http/1.1", "h2"}) == "h2");
    CHECK(agreed({"http/1.1", "h2"}, {"h2", "http/1.1"}) == "http/1.1");
    CHECK(agreed({"h2"}, {}) == std::nullopt);
    CHECK(agreed({}, {"h2"}) == std::nullopt);
}

TEST_CASE("ALPN without overlap fails the handshake with no_application_protocol (TLS-16) (D14)") {
    for (const auto version : kVersions) {
        TLSPair pair;
        pair.serve(ssl::CertificateOptions(serverParameters(version).acceptableProtocols({"h2"})));
        pair.connectWith(
            ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), std::nullopt, {"spdy/3"}));
        pair.start();
        pair.flush();
        CHECK(pair.server->why() == "Error");
        CHECK(pair.client->why() == "Error");
        CHECK(alertOf(*pair.client) == 120);
        CHECK(pair.client->handshakes + pair.server->handshakes == 0);
    }
}

TEST_CASE("a wrapped factory's acceptableProtocols count for its connections, not for the recipe (TLS-17)") {
    const ssl::CertificateOptions shared(serverParameters().acceptableProtocols({"http/1.1"}));
    const ssl::ClientTLSOptions offer =
        ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate(), std::nullopt, {"h2", "http/1.1"});
    for (const bool own : {true, false, true}) {
        TLSPair pair;
        pair.connectWith(offer);
        pair.serverOutside = underTLS(shared, ssl::Role::server, pair.server,
                                      own ? std::vector<std::string>{"h2"} : std::vector<std::string>());
        pair.up();
        CHECK(pair.client->ssl().negotiatedProtocol() == (own ? "h2" : "http/1.1"));
    }
    TLSPair pair;  // and a client's factory likewise
    pair.serve(shared);
    pair.clientOutside = underTLS(goodClient(), ssl::Role::client, pair.client, {"http/1.1"});
    pair.up();
    CHECK(pair.server->ssl().negotiatedProtocol() == "http/1.1");
}

TEST_CASE(
    "a layer is an SSLTransport and offers what is below, but not below it what it must do itself (TLS-22) (TRN-2)") {
    TLSPair pair;
    pair.up();
    Transport& transport = pair.client->transport();
    CHECK(transport.query<SSLTransport>() != nullptr);
    transport.as<TCPTransport>().setTcpNoDelay(true);
    CHECK(pair.pump->client().getTcpNoDelay());
    CHECK(transport.as<TCPTransport>().getTcpNoDelay());
    transport.as<TCPTransport>().setTcpKeepAlive(true);
    CHECK(pair.pump->client().getTcpKeepAlive());
    CHECK(transport.getPeer() == pair.pump->client().getPeer());
    CHECK(transport.getHost() == pair.pump->client().getHost());
    CHECK(dynamic_cast<TLSMemoryBIOProtocol*>(transport.query<TCPTransport>()) != nullptr);
    CHECK(transport.lower() == &pair.pump->client());
    CHECK_THROWS_AS(transport.as<TLSTransport>().startTLS(goodClient()), RuntimeError);
    CHECK(pair.client->lost == 0);
}

TEST_CASE("TLS in TLS sends what is written in the same turn, however many layers there are (TLS-24)") {
    TLSPair pair;
    pair.clientOutside = pair.client;
    pair.serverOutside = pair.server;
    for (int i = 0; i < 3; ++i) {
        pair.clientOutside = underTLS(*pair.clientOptions, ssl::Role::client, pair.clientOutside);
        pair.serverOutside = underTLS(*pair.serverOptions, ssl::Role::server, pair.serverOutside);
    }
    pair.up();
    const int before = pair.clientWire.count(RecordLog::kApplicationData);
    pair.inTurn([&] {
        for (int i = 0; i < 50; ++i) pair.client->transport().write("x");
    });
    pair.pump->pump();
    CHECK(pair.clientWire.count(RecordLog::kApplicationData) == before + 1);
    CHECK(pair.server->received.size() == 50);
    pair.client->transport().loseConnection();
    pair.flush();
    CHECK(pair.client->why() == "ConnectionDone");
    CHECK(pair.server->why() == "ConnectionDone");
}

TEST_CASE("a pause in the middle of a delivery keeps the rest, which comes on a later turn after resume (PC-7)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        const auto peer = pair.engineServer();
        pair.up();
        const Bytes records = peer->sealed([&] {
            peer->say("one");
            peer->say("two");
            peer->say("three");
            peer->sendCloseNotify();
        });
        pair.client->onData = [&](BytesView) { pair.client->transport().pauseProducing(); };
        peer->transport().write(records);
        pair.flush();
        CHECK(pair.client->received == "one");
        pair.client->transport().resumeProducing();
        CHECK(pair.client->received == "one");
        pair.flush();
        CHECK(pair.client->received == "onetwo");
        // Resumed and paused again within one turn, it stays.
        pair.inTurn([&] {
            pair.client->transport().resumeProducing();
            pair.client->transport().pauseProducing();
        });
        pair.flush();
        CHECK(pair.client->received == "onetwo");
        pair.client->onData = nullptr;
        pair.client->transport().resumeProducing();
        pair.client->transport().resumeProducing();
        pair.flush();
        CHECK(pair.client->received == "onetwothree");
        CHECK(pair.client->why() == "ConnectionDone");
    }
}

TEST_CASE("what was held by a pause comes before the end of the connection (PC-7) (TLS-12)") {
    TLSPair pair;
    const auto peer = pair.engineServer();
    pair.up();
    const Bytes records = peer->sealed([&] {
        peer->say("one");
        peer->say("two");
    });
    pair.client->onData = [&](BytesView) { pair.client->transport().pauseProducing(); };
    peer->transport().write(records);
    peer->transport().loseConnection();
    pair.flush();
    CHECK(pair.client->received == "one");
    CHECK(pair.client->lost == 0);
    pair.client->onData = nullptr;
    pair.inTurn([&] { pair.client->transport().resumeProducing(); });
    pair.flush();
    CHECK(pair.client->received == "onetwo");
    CHECK(pair.client->why() == "TLSTruncated");
}

TEST_CASE("an exception from a callback ends this connection only, is logged once, and is the reason (TR-13)") {
    for (const std::string where : {"handshake", "data", "after resume"}) {
        CAPTURE(where);
        int logged = 0;
        const int observer = log::addObserver([&](const log::Event& event) {
            if (event.failure != nullptr && event.failure->check<ValueError>()) ++logged;
        });
        TLSPair pair;
        const auto peer = pair.engineServer();
        if (where == "handshake") pair.client->onHandshake = [] { throw ValueError("of the application"); };
        pair.start();
        pair.flush();
        pair.client->onData = [&](BytesView data) {
            if (where == "data" || data == "two") throw ValueError("of the application");
            pair.client->transport().pauseProducing();
        };
        if (where != "handshake") {
            peer->transport().write(peer->sealed([&] {
                peer->say("one");
                peer->say("two");
                peer->say("three");
            }));
        }
        pair.flush();
        pair.client->transport().resumeProducing();
        pair.flush();
        log::removeObserver(observer);
        CHECK(pair.client->received == (where == "handshake" ? "" : where == "data" ? "one" : "onetwo"));
        CHECK(pair.client->why() == "ValueError");
        CHECK(pair.client->lost == 1);
        CHECK(logged == 1);
        CHECK(peer->lost.has_value());
    }
}

TEST_CASE("getPeerCertificate still answers inside connectionLost (TLS-21)") {
    for (const auto version : kVersions) {
        TLSPair pair(version);
        bool asked = false;
        pair.client->onLost = [&] {
            asked = true;
            REQUIRE(pair.client->ssl().getPeerCertificate());
            CHECK(*pair.client->ssl().getPeerCertificate() == ssl::test::exampleCertificate());
        };
        pair.up();
        pair.client->transport().loseConnection();
        pair.flush();
        CHECK(asked);
    }
}

TEST_CASE("no object of a TLS connection is left when it is over (TLS-21)") {
    std::weak_ptr<Protocol> layer, application;
    {
        TLSPair pair;
        pair.up();
        layer = pair.clientOutside;
        application = pair.client;
        pair.client->transport().loseConnection();
        pair.flush();
        pair.clientOutside.reset();
        pair.client.reset();
        CHECK(application.expired());
        CHECK(layer.expired());
    }
}

TEST_CASE("errors that others left in OpenSSL's queue do no harm to a connection") {
    TLSPair pair;
    const auto poison = [] { ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); };
    pair.client->onHandshake = poison;
    pair.client->onData = [&](BytesView) { poison(); };
    pair.server->onData = [&](BytesView) {
        poison();
        pair.server->transport().write("answer");
        poison();
    };
    poison();
    pair.start();
    for (int i = 0; i < 100; ++i) {
        poison();
        pair.pump->pump();
    }
    pair.client->transport().write("question");
    for (int i = 0; i < 20; ++i) {
        poison();
        pair.pump->pump();
    }
    CHECK(pair.client->received == "answer");
    pair.client->transport().loseConnection();
    for (int i = 0; i < 20; ++i) {
        poison();
        pair.pump->pump();
    }
    CHECK(pair.client->why() == "ConnectionDone");
    CHECK(pair.server->why() == "ConnectionDone");
    ERR_clear_error();
}

TEST_CASE("two connections that share their recipes do not mix, record by record (TLS-18)") {
    TLSPair one, two;
    two.clientOptions = one.clientOptions;
    two.serverOptions = one.serverOptions;
    one.start();
    two.start();
    for (TLSPair* pair : {&one, &two}) pair->pump->setSegmentation(segmentation::byteByByte());
    while (one.pump->pump() || two.pump->pump()) two.pump->pump();
    Bytes said;
    for (int i = 0; i < 20; ++i) {
        said += std::to_string(i);
        one.client->transport().write("one" + std::to_string(i));
        two.client->transport().write(std::to_string(i));
        two.server->transport().write(std::to_string(i));
        one.pump->pump();
        two.pump->pump();
    }
    one.flush();
    two.flush();
    CHECK(one.server->received.rfind("one0one1", 0) == 0);
    CHECK(two.server->received == said);
    CHECK(two.client->received == said);
}
