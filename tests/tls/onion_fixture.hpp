#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tls/onion.hpp>
#include <torsion/tls/onion_protocol.hpp>

namespace torsion::test {

/// An application on an onion that keeps a diary.
class OnionApplication : public Protocol, public OnionListener {
public:
    void dataReceived(BytesView data) override {
        if (!diary.empty() && diary.back().rfind("data ", 0) == 0) {
            diary.back().append(data);
        } else {
            diary.push_back("data " + std::string(data));
        }
        if (onData) onData(data);
    }
    void connectionLost(const Failure& reason) override {
        diary.push_back(reason.check<ConnectionDone>() ? "lost cleanly" : "lost " + reason.typeName());
        lost = std::make_unique<Failure>(reason);
    }
    void layerStarted(unsigned depth) override { diary.push_back("started " + std::to_string(depth)); }
    void layerStopped(unsigned depth) override {
        diary.push_back("stopped " + std::to_string(depth));
        if (onStopped) onStopped(depth);
    }

    OnionTransport& onion() { return transport().as<OnionTransport>(); }

    /// Notes in the diary what becomes of @p deferred.
    void follow(const std::string& name, Deferred<void> deferred) {
        deferred.addCallbacks(
            [this, name] { diary.push_back(name + " done"); },
            [this, name](const Failure& failure) { diary.push_back(name + " failed: " + failure.typeName()); });
    }

    bool wrote(const std::string& line) const {
        for (const std::string& entry : diary) {
            if (entry == line) return true;
        }
        return false;
    }
    std::string last() const { return diary.empty() ? std::string() : diary.back(); }

    std::vector<std::string> diary;
    std::unique_ptr<Failure> lost;
    Function<void(BytesView)> onData;
    Function<void(unsigned)> onStopped;
};

/// Two applications on onions, connected in memory.
class OnionPair {
public:
    explicit OnionPair(ssl::TLSVersion highest = ssl::TLSVersion::TLSv1_3)
        : client(std::make_shared<OnionApplication>()),
          server(std::make_shared<OnionApplication>()),
          clientOnion(std::make_shared<OnionProtocol>(nullptr, client)),
          serverOnion(std::make_shared<OnionProtocol>(nullptr, server)),
          serverOptions(ssl::CertificateOptions(
              ssl::CertificateOptions::Parameters(ssl::test::exampleCertificate()).lowerMaximumSecurityTo(highest))),
          clientOptions(ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate())),
          pump(clientOnion, serverOnion) {
        pump.client().setTap([this](BytesView data) { clientWire.append(data); });
        pump.server().setTap([this](BytesView data) { serverWire.append(data); });
    }

    /// Both ends start a layer, and it comes up.
    void push() {
        server->onion().startTLS(serverOptions, ssl::Role::server);
        client->onion().startTLS(clientOptions, ssl::Role::client);
        pump.flush();
    }

    std::shared_ptr<OnionApplication> client, server;
    std::shared_ptr<OnionProtocol> clientOnion, serverOnion;
    ssl::CertificateOptions serverOptions;
    ssl::ClientTLSOptions clientOptions;
    Bytes clientWire, serverWire;  ///< all octets that went out
    testing::IOPump pump;
};

}  // namespace torsion::test
