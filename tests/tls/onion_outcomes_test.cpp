// The one outcome of each hard case (docs/onion.md), in both roles, both versions of TLS and at several depths.

#include <torsion/tests/tls/onion_cases.hpp>

using namespace torsion;
using namespace torsion::test;
namespace segmentation = torsion::testing::segmentation;

TEST_CASE("stopTLS at depth 0 fails, and stopTLS twice on one layer fires both at the pop, in every role (a)") {
    everyCase(0, 3, [](OnionCase& scene) {
        scene.we.follow("first", scene.we.onion().stopTLS());
        scene.we.follow("second", scene.we.onion().stopTLS());
        if (scene.depth == 0) {
            CHECK(scene.we.diary ==
                  std::vector<std::string>{"first failed: torsion::OnionError", "second failed: torsion::OnionError"});
            return;
        }
        CHECK(scene.we.diary.empty());
        scene.flush();
        CHECK(scene.we.diary ==
              std::vector<std::string>{"stopped " + std::to_string(scene.depth), "first done", "second done"});
        CHECK(scene.we.onion().depth() == scene.depth - 1);
        CHECK(scene.peer.onion().depth() == scene.depth - 1);
    });
}

TEST_CASE("stopTLS in the middle of the handshake waits for its end, in every role and depth (b)") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.ourWire.clear();
        scene.start(scene.peer);
        scene.we.follow("start", scene.start(scene.we));
        scene.we.transport().write("through the layer");
        scene.we.follow("stop", scene.we.onion().stopTLS());
        scene.we.transport().write("below it");
        CHECK(scene.we.onion().layers().back().state == OnionLayer::State::stopping);
        scene.flush();
        const std::string depth = std::to_string(scene.depth + 1);
        CHECK(scene.we.diary ==
              std::vector<std::string>{"started " + depth, "start done", "stopped " + depth, "stop done"});
        CHECK(scene.peer.diary == std::vector<std::string>{"started " + depth, "data through the layer",
                                                           "stopped " + depth, "data below it"});
        CHECK(!contains(scene.ourWire, "through the layer"));
        CHECK(contains(scene.ourWire, "below it") == (scene.depth == 0));
    });
}

TEST_CASE("a layer is put on right behind a pop: before it, in layerStopped, and from stopTLS's Deferred (c)") {
    for (const int way : {0, 1, 2}) {
        for (const auto& cut : {segmentation::whole(), segmentation::coalesced(), segmentation::atMost(7)}) {
            CAPTURE(way);
            everyCase(1, 3, [&](OnionCase& scene) {
                scene.pair.pump.setSegmentation(cut);
                const auto again = [&] {
                    scene.we.follow("start", scene.start(scene.we));
                    scene.we.transport().write("inside again");
                };
                scene.peer.onStopped = [&](unsigned) { scene.start(scene.peer); };
                if (way == 1) scene.we.onStopped = [&](unsigned) { again(); };
                Deferred<void> stopped = scene.we.onion().stopTLS();
                if (way == 0) again();
                if (way == 2) stopped.addCallback(again);
                scene.flush();
                CHECK(scene.we.last() == "start done");
                CHECK(scene.peer.last() == "data inside again");
                CHECK(scene.we.onion().depth() == scene.depth);
                CHECK(scene.peer.onion().depth() == scene.depth);
                CHECK(!contains(scene.ourWire, "inside again"));
            });
        }
    }
}

TEST_CASE("layers may be put on while those below still shake hands, in every role (d)") {
    everyCase(1, 3, [](OnionCase& scene) {
        for (int i = 0; i < 2; ++i) {
            scene.start(scene.peer);
            scene.we.follow("start", scene.start(scene.we));
        }
        scene.we.transport().write("deep");
        scene.flush();
        CHECK(scene.peer.last() == "data deep");
        CHECK(scene.we.diary.size() == 4);
        CHECK(scene.we.last() == "start done");
        CHECK(scene.we.onion().layers().size() == scene.depth + 2);
    });
}

TEST_CASE("both ends stop at once: one pop a side, and both Deferreds succeed, in every role (e)") {
    for (const auto& cut : {segmentation::whole(), segmentation::coalesced(), segmentation::byteByByte()}) {
        everyCase(1, 3, [&](OnionCase& scene) {
            scene.pair.pump.setSegmentation(cut);
            for (OnionApplication* each : {&scene.we, &scene.peer}) {
                each->follow("stop", each->onion().stopTLS());
                each->transport().write("after");
            }
            scene.flush();
            for (OnionApplication* each : {&scene.we, &scene.peer}) {
                CHECK(each->onion().depth() == scene.depth - 1);
                CHECK(each->diary ==
                      std::vector<std::string>{"stopped " + std::to_string(scene.depth), "stop done", "data after"});
            }
        });
    }
}

TEST_CASE("a loss at any point of a handshake and of a pop tells each Deferred, then connectionLost, and no more (f)") {
    const CriticalLog log;
    for (const bool reset : {false, true}) {
        int longest = 0;
        for (bool more = true; more; ++longest) {
            more = false;
            everyCase(0, 1, [&](OnionCase& scene) {
                CAPTURE(longest);
                scene.pair.pump.setSegmentation(segmentation::atMost(8));
                scene.start(scene.peer);
                scene.we.follow("start", scene.start(scene.we));
                scene.we.transport().write("SECRET");
                scene.we.follow("stop", scene.we.onion().stopTLS());
                int left = longest;
                while (left > 0 && scene.pair.pump.pump()) --left;
                if (left == 0) more = true;
                if (reset) {
                    scene.pair.pump.breakConnection();
                } else {
                    scene.peerEnd.loseConnection();
                }
                scene.flush();
                REQUIRE(scene.we.lost);
                const bool clean = scene.we.lost->check<ConnectionDone>();
                const std::string reason = scene.we.lost->typeName();
                if (reset) CHECK(reason == "torsion::ConnectionLost");
                if (scene.we.onion().depth() > 0) CHECK(!clean);
                std::vector<std::string> ends;
                for (const std::string& line : scene.we.diary) {
                    if (line.rfind("start ", 0) == 0 || line.rfind("stop ", 0) == 0 || line.rfind("lost", 0) == 0)
                        ends.push_back(line);
                }
                REQUIRE(ends.size() == 3);
                CHECK((ends[0] == "start done" || ends[0] == "start failed: " + reason));
                CHECK((ends[1] == "stop done" || ends[1] == "stop failed: " + reason));
                CHECK(scene.we.last().rfind("lost", 0) == 0);
                CHECK(!contains(scene.ourWire, "SECRET"));
                CHECK(scene.pair.pump.clock().getDelayedCalls().empty());
            });
        }
        CHECK(longest > 100);  // turns: the handshake and the pop are in them
    }
    CHECK(log.texts.empty());
}

TEST_CASE("while a stop waits data is delivered, after loseConnection it is not, in every role (g)") {
    everyCase(1, 3, [](OnionCase& scene) {
        scene.we.onion().stopTLS();
        scene.peer.transport().write("crossing");
        scene.flush();
        CHECK(scene.we.diary == std::vector<std::string>{"data crossing", "stopped " + std::to_string(scene.depth)});
        scene.we.transport().loseConnection();
        scene.peer.transport().write("too late");
        scene.flush();
        CHECK(!scene.we.wrote("data too late"));
        CHECK(scene.we.last() == "lost cleanly");
    });
}

TEST_CASE("a passive pop sends first what was written, then tells, then writes below, in every role (h)") {
    everyCase(1, 3, [](OnionCase& scene) {
        scene.ourWire.clear();
        std::size_t sentBefore = 0;
        scene.we.onStopped = [&](unsigned) {
            scene.we.transport().write("below");
            sentBefore = scene.ourWire.size();
        };
        scene.peer.onion().stopTLS();
        scene.we.transport().write("inside");  // gathered still when the close_notify is read
        scene.flush();
        CHECK(scene.peer.diary ==
              std::vector<std::string>{"data inside", "stopped " + std::to_string(scene.depth), "data below"});
        CHECK(!contains(scene.ourWire, "inside"));
        CHECK(contains(scene.ourWire, "below") == (scene.depth == 1));
        CHECK(!contains(scene.ourWire.substr(0, sentBefore), "below"));
    });
}

TEST_CASE("allowPassiveStop(false) ends the connection at a passive pop, and only then, in every role (h)") {
    everyCase(1, 3, [](OnionCase& scene) {
        scene.we.onion().allowPassiveStop(false);
        scene.we.follow("stop", scene.we.onion().stopTLS());  // ours: allowed, whoever's close_notify comes first
        scene.peer.onion().stopTLS();
        scene.flush();
        CHECK(scene.we.last() == "stop done");
        scene.start(scene.peer);
        scene.start(scene.we);
        scene.flush();
        scene.we.transport().write("SECRET");
        scene.ourWire.clear();
        scene.we.onStopped = [&](unsigned) { FAIL("a pop that was forbidden"); };
        scene.peer.onion().stopTLS();
        scene.flush();
        REQUIRE(scene.we.lost);
        CHECK(scene.we.lost->check<OnionError>());
        REQUIRE(scene.peer.lost);
        CHECK(!contains(scene.ourWire, "SECRET"));
        scene.we.transport().write("SECRET");
        scene.flush();
        CHECK(!contains(scene.ourWire, "SECRET"));
    });
}

TEST_CASE("a handshake that fails ends the connection with its reason, at every depth and in every role (i)") {
    everyCase(0, 2, [](OnionCase& scene) {
        scene.ourWire.clear();
        scene.pair.clientOptions = ssl::optionsForClientTLS("example.com", ssl::test::authority());
        scene.start(scene.peer);
        scene.we.follow("start", scene.start(scene.we));
        scene.we.transport().write("SECRET");
        scene.flush();
        REQUIRE(scene.we.lost);
        CHECK(scene.we.lost->check<ssl::Error>());
        CHECK(scene.we.lost->check<ssl::CertificateVerifyError>() == !scene.server);
        CHECK(scene.we.wrote("start failed: " + scene.we.lost->typeName()));
        CHECK(!scene.we.wrote("stopped " + std::to_string(scene.depth + 1)));
        REQUIRE(scene.peer.lost);
        CHECK(!scene.peer.lost->check<ConnectionDone>());
        CHECK(!contains(scene.ourWire, "SECRET"));
    });
}

TEST_CASE("garbage inside a layer that is up ends the connection, at every depth and in every role (i)") {
    everyCase(1, 3, [](OnionCase& scene) {
        // The innermost layer of the peer is passed by: what it writes goes to the transport below that layer.
        auto* layer = static_cast<ProtocolWrapper*>(scene.peerOnion.wrappedProtocol().get());
        for (unsigned i = 1; i < scene.depth; ++i) {
            layer = static_cast<ProtocolWrapper*>(layer->wrappedProtocol().get());
        }
        layer->transport().write("this is no record of TLS at all");
        scene.flush();
        REQUIRE(scene.we.lost);
        CHECK(scene.we.lost->check<ssl::Error>());
        CHECK(scene.we.diary.size() == 1);
        REQUIRE(scene.peer.lost);
        CHECK(scene.peer.diary.size() == 1);
    });
}

TEST_CASE(
    "a close_notify on any layer that carries others is unclean, and nothing behind it comes, in every role (j)") {
    everyCase(2, 3, [](OnionCase& scene) {
        for (unsigned closing = 1; closing < scene.depth; ++closing) {
            OnionCase each(scene.version, scene.server, scene.depth);
            auto* layer = dynamic_cast<TLSMemoryBIOProtocol*>(each.peerOnion.wrappedProtocol().get());
            for (unsigned i = 1; i < closing; ++i) {
                layer = dynamic_cast<TLSMemoryBIOProtocol*>(layer->wrappedProtocol().get());
            }
            layer->loseConnection();
            each.flush();
            REQUIRE(each.we.lost);
            CHECK(each.we.lost->check<OnionError>());
            CHECK(each.we.diary.size() == 1);  // no pop, no data
            REQUIRE(each.peer.lost);
            CHECK(!each.peer.lost->check<ConnectionDone>());
        }
    });
}

TEST_CASE("loseConnection sends one alert a layer, the innermost first, then the FIN, in every role (k)") {
    everyCase(0, 3, [](OnionCase& scene) {
        RecordLog records;
        scene.ourEnd.setTap([&](BytesView data) { records.see(data); });
        scene.we.transport().loseConnection();
        while (scene.pair.pump.pump()) {
            CHECK((scene.ourEnd.connected() || scene.we.onion().depth() == 0));
        }
        // In TLS 1.2 an alert shows on the outside, if it is the outermost layer's.
        std::vector<int> expected(scene.depth, RecordLog::kApplicationData);
        if (scene.depth > 0 && scene.version == ssl::TLSVersion::TLSv1_2) {
            expected.back() = RecordLog::kAlert;
        }
        CHECK(records.types == expected);
        CHECK(scene.we.diary == std::vector<std::string>{"lost cleanly"});
        CHECK(scene.peer.last() == "lost cleanly");
        CHECK(scene.peer.diary.size() == scene.depth + 1);  // a pop each
        for (unsigned i = 0; i < scene.depth; ++i) {
            CHECK(scene.peer.diary[i] == "stopped " + std::to_string(scene.depth - i));
        }
    });
}

TEST_CASE("what stands behind a close_notify goes one layer down, in one record with it, wherever it is cut (TLS-23)") {
    for (const ssl::TLSVersion version : kVersions) {
        for (const bool server : {false, true}) {
            for (const std::size_t depth : {1U, 2U}) {
                for (std::size_t cut = 0, size = 1; cut < size; ++cut) {
                    CAPTURE(cut);
                    CAPTURE(server);
                    CAPTURE(depth);
                    const auto we = std::make_shared<OnionApplication>();
                    const auto tower = std::make_shared<EngineTower>();
                    const auto onion = std::make_shared<OnionProtocol>(nullptr, we);
                    const ssl::CertificateOptions serverOptions(serverParameters(version));
                    const ssl::ClientTLSOptions clientOptions = goodClient();
                    testing::IOPump pump(server ? std::static_pointer_cast<Protocol>(tower) : onion,
                                         server ? std::static_pointer_cast<Protocol>(onion) : tower);
                    for (std::size_t i = 0; i < depth; ++i) {
                        if (server) {
                            we->onion().startTLS(serverOptions, ssl::Role::server);
                            tower->push(clientOptions, ssl::Role::client);
                        } else {
                            tower->push(serverOptions, ssl::Role::server);
                            we->onion().startTLS(clientOptions, ssl::Role::client);
                        }
                        pump.flush();
                    }
                    we->diary.clear();
                    // One record of the layer below, or one segment, holds all of it.
                    const Bytes all = tower->seal(depth - 1, tower->closeNotify() + "several\r\nlines\r\n");
                    size = all.size();
                    tower->transport().write(BytesView(all).substr(0, cut));
                    pump.flush();
                    tower->transport().write(BytesView(all).substr(cut));
                    pump.flush();
                    CHECK(we->diary ==
                          std::vector<std::string>{"stopped " + std::to_string(depth), "data several\r\nlines\r\n"});
                    we->transport().write("answer");
                    pump.flush();
                    CHECK(tower->levels.back()->heardClose);
                    CHECK(tower->received == "answer");
                }
            }
        }
    }
}

TEST_CASE("what is written between stopTLS and the pop is kept, in order, and sent below, in every role (TLS-23)") {
    everyCase(1, 3, [](OnionCase& scene) {
        scene.ourWire.clear();
        scene.we.transport().write("inside, ");
        scene.we.onion().stopTLS();
        Bytes below;
        for (int i = 0; i < 50; ++i) {
            const Bytes line = "line " + std::to_string(i) + "\r\n";
            below += line;
            scene.we.transport().write(line);
            if (i == 25) {
                below += Bytes(40000, 'x');
                scene.we.transport().write(Bytes(40000, 'x'));
            }
        }
        CHECK(scene.we.transport().as<TCPTransport>().bufferedBytes() >= below.size());
        scene.flush();
        REQUIRE(scene.peer.diary.size() == 3);
        CHECK(scene.peer.diary[0] == "data inside, ");
        CHECK(scene.peer.diary[2] == "data " + below);
        CHECK(contains(scene.ourWire, below) == (scene.depth == 1));
    });
}
