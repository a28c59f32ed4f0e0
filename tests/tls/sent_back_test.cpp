// What an application writes out of the octets that it is being given: a TLS layer keeps no copy of them until the
// delivery ends, and nobody may notice.

#include <doctest/doctest.h>

#include <random>
#include <string>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tests/tls/tls_fixture.hpp>

namespace torsion::test {

namespace {

/// Puts both applications under @p layers of TLS.
void nest(TLSPair& pair, int layers) {
    pair.clientOutside = pair.client;
    pair.serverOutside = pair.server;
    for (int i = 0; i < layers; ++i) {
        pair.clientOutside = underTLS(*pair.clientOptions, ssl::Role::client, pair.clientOutside);
        pair.serverOutside = underTLS(*pair.serverOptions, ssl::Role::server, pair.serverOutside);
    }
}

/// Writes @p data in pieces, some of them twice, in another order, or as copies. @return what the peer should get
Bytes answerInPieces(Transport& transport, BytesView data, std::mt19937& random) {
    Bytes answer;
    const auto upTo = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
    while (!data.empty()) {
        const BytesView piece = data.substr(0, 1 + upTo(upTo(1) == 0 ? 100 : 20000));
        data.remove_prefix(piece.size());
        switch (upTo(9)) {
            case 0: {
                const Bytes copy(piece);
                transport.write(BytesView(copy));
                break;
            }
            case 1: transport.write(Bytes(piece)); break;
            case 2:  // the begin is not where the piece before it ends
                transport.write(piece.substr(piece.size() / 2));
                answer.append(piece.substr(piece.size() / 2));
                transport.write(piece);
                break;
            default: transport.write(piece);
        }
        answer.append(piece);
    }
    return answer;
}

}  // namespace

TEST_CASE("what goes back in pieces, whole, twice or mixed with other octets, goes in order (TLS-3)") {
    for (const auto version : kVersions) {
        for (int layers = 1; layers <= 3; ++layers) {
            CAPTURE(layers);
            TLSPair pair(version);
            nest(pair, layers);
            pair.up();
            std::mt19937 random(static_cast<unsigned>(layers));
            Bytes expected;
            pair.server->onData = [&](BytesView data) {
                expected += answerInPieces(pair.server->transport(), data, random);
            };
            for (const std::size_t size : {1U, 100U, 16383U, 16384U, 16385U, 40000U, 200000U}) {
                pair.inTurn([&] { pair.client->transport().write(distinctOctets(size)); });
                pair.flush();
            }
            REQUIRE(expected.size() > 270000);
            CHECK(pair.client->received == expected);
        }
    }
}

TEST_CASE("pieces of a delivery that go back one by one share a record (TLS-14)") {
    TLSPair pair;
    pair.up();
    const int before = pair.serverWire.count(RecordLog::kApplicationData);
    pair.server->onData = [&](BytesView data) {
        for (std::size_t at = 0; at < data.size(); at += 10) pair.server->transport().write(data.substr(at, 10));
    };
    const Bytes sent = distinctOctets(16000);
    pair.client->transport().write(sent);
    pair.flush();
    CHECK(pair.client->received == sent);
    CHECK(pair.serverWire.count(RecordLog::kApplicationData) == before + 1);
}

TEST_CASE("what goes back counts for bufferedBytes and for the output limit, to the octet (D25)") {
    for (const std::size_t limit : {9U, 10U, 11U}) {
        CAPTURE(limit);
        TLSPair pair;
        pair.up();
        std::vector<std::size_t> waited;
        pair.server->onData = [&](BytesView data) {
            auto& tcp = pair.server->transport().as<TCPTransport>();
            tcp.setOutputLimit(limit);
            for (std::size_t i = 0; i < 3; ++i) {
                pair.server->transport().write(data.substr(5 * i, 5));
                waited.push_back(tcp.bufferedBytes());
            }
        };
        pair.client->transport().write("0123456789abcde");
        pair.flush();
        // The third one finds ten octets that wait already.
        REQUIRE(waited.size() == 3);
        CHECK(waited[0] == 5);
        CHECK(waited[1] == 10);
        CHECK(pair.server->why() == (limit < 10 ? "OutputLimitExceeded" : "not lost"));
        CHECK(pair.client->received == (limit < 10 ? "" : "0123456789abcde"));
    }
}

TEST_CASE("a limit that is lowered in the middle of a delivery holds from the next write on (D25)") {
    TLSPair pair;
    pair.up();
    pair.server->onData = [&](BytesView data) {
        auto& transport = pair.server->transport();
        transport.write(data.substr(0, 5));
        transport.as<TCPTransport>().setOutputLimit(4);
        transport.write(data.substr(5));
    };
    pair.client->transport().write("0123456789");
    pair.flush();
    CHECK(pair.server->why() == "OutputLimitExceeded");
}

TEST_CASE("what goes back before a close still goes, before an abort or an exception it does not (TR-7) (TR-13)") {
    for (const std::string end : {"throw", "close", "half-close", "abort"}) {
        CAPTURE(end);
        TLSPair pair;
        pair.up();
        const int observer = log::addObserver([](const log::Event&) {});
        pair.server->onData = [&](BytesView data) {
            auto& transport = pair.server->transport();
            transport.write(data.substr(0, 4));
            transport.write(data.substr(4));
            if (end == "throw") throw ValueError("of the application");
            if (end == "close") transport.loseConnection();
            if (end == "half-close") transport.as<TCPTransport>().loseWriteConnection();
            if (end == "abort") transport.abortConnection();
        };
        pair.client->transport().write("0123456789");
        pair.flush();
        log::removeObserver(observer);
        const bool closes = end == "close" || end == "half-close";
        CHECK(pair.client->received == (closes ? "0123456789" : ""));
        if (end == "close") CHECK(pair.client->why() == "ConnectionDone");
        if (end == "throw") CHECK(pair.server->why() == "ValueError");
    }
}

TEST_CASE("what goes back while the reader is paused in its delivery goes, too (PC-7)") {
    TLSPair pair;
    pair.up();
    pair.server->onData = [&](BytesView data) {
        pair.server->transport().write(data.substr(0, 3));
        pair.server->transport().pauseProducing();
        pair.server->transport().write(data.substr(3));
    };
    pair.client->transport().write("0123456789");
    pair.flush();
    CHECK(pair.client->received == "0123456789");
}

TEST_CASE("what goes back to a producer's buffer that is full pauses it, and all arrives (PC-3)") {
    TLSPair pair;
    pair.up();
    const auto producer = std::make_shared<TestProducer>();
    pair.server->transport().registerProducer(producer, true);
    producer->onPause = [&] { pair.server->transport().write("<pause>"); };
    pair.server->onData = [&](BytesView data) {
        for (std::size_t at = 0; at < data.size(); at += 1000) pair.server->transport().write(data.substr(at, 1000));
    };
    const Bytes sent = distinctOctets(300000);
    pair.client->transport().write(sent);
    pair.flush();
    Bytes received = pair.client->received;
    for (std::size_t at = 0; (at = received.find("<pause>")) != Bytes::npos;) received.erase(at, 7);
    CHECK(received == sent);
    pair.server->transport().unregisterProducer();
}

}  // namespace torsion::test
