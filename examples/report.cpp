#include <torsion/examples/report.hpp>

#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include <torsion/core/log.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/onion_transport.hpp>

namespace examples {

using namespace torsion;

namespace {

void put(std::FILE* stream, const std::string& line) {
    std::string text;
    for (const char c : line) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            text += fmt::format("\\x{:02x}", octet);
        } else {
            text += c;
        }
    }
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), stream);
}

void state(std::size_t depth, const std::string& version, const std::string& cipher,
           const std::shared_ptr<const ssl::Certificate>& peer) {
    const std::string name = peer ? peer->getSubject().commonName() : "-";
    put(stderr, fmt::format("state: {} {} {} {}", depth, version, cipher, name));
}

}  // namespace

void print(const std::string& line) { put(stdout, line); }

void complain(const std::string& name, const std::string& what) { put(stderr, name + ": " + what); }

void listening(Reactor& reactor, const ListeningPort& port) { listening(reactor, port.getHost()); }

void listening(Reactor& reactor, const Address& host) {
    reactor.callWhenRunning([number = host.port()] {
        log::startLogging(stderr);
        print(fmt::format("LISTENING {}", number));
    });
}

void received(BytesView line) { print("received: " + std::string(line)); }

void lost(const Failure& reason) {
    print(reason.check<ConnectionDone>() ? "lost: clean" : "lost: unclean: " + reason.getErrorMessage());
}

void negotiated(const SSLTransport& transport) {
    print("negotiated: " + transport.negotiatedProtocol().value_or("none"));
}

void statePlain() { put(stderr, "state: 0 plain"); }

void stateTLS(const SSLTransport& layer) {
    state(1, layer.tlsVersion(), layer.tlsCipher(), layer.getPeerCertificate());
}

void stateOnion(Transport& transport) {
    const std::vector<OnionLayer> layers = transport.as<OnionTransport>().layers();
    if (layers.empty()) return statePlain();
    state(layers.size(), layers.back().version, layers.back().cipher, layers.back().peerCertificate);
}

}  // namespace examples
