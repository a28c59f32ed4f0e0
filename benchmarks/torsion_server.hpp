#pragma once

// What torsion's servers of the comparison have in common.

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <torsion/torsion.hpp>

constexpr int kUsage = 64;  // EX_USAGE of sysexits.h
constexpr int kBacklog = 4096;

/// The whole of @p text as a number from @p low to @p high.
inline std::optional<int> parseNumber(std::string_view text, int low, int high) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) return std::nullopt;
    return value;
}

/// The TLS that all servers of the comparison speak. @param file a PEM with key and certificate
inline torsion::ssl::CertificateOptions tlsOptions(const std::string& file) {
    using namespace torsion;
    const auto certificate = ssl::PrivateCertificate::loadPEM(readFile(file));
    ssl::CertificateOptions::Parameters parameters(certificate);
    parameters.raiseMinimumTo(ssl::TLSVersion::TLSv1_3)
        .acceptableCiphers(ssl::AcceptableCiphers::fromOpenSSLCipherString("TLS_AES_128_GCM_SHA256"))
        .enableSessionTickets(true)
        .numTickets(1);  // as the other servers: a client of the load resumes once
    return ssl::CertificateOptions(parameters);
}

/// Sends back whatever it receives. What a client has in flight is answered although it has closed its side.
class Echo final : public torsion::Protocol {
public:
    static void configure(torsion::Transport& transport) {
        auto& tcp = transport.as<torsion::TCPTransport>();
        tcp.setTcpNoDelay(true);
        tcp.setFinishWriting(true);
    }
    void connectionMade() override { configure(transport()); }
    void dataReceived(torsion::BytesView data) override { transport().write(data); }
};
