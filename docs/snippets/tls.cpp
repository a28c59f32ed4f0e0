// The programs of docs/tls.md, so that they compile. A test compares the two.

#include <torsion/torsion.hpp>

using namespace torsion;
using namespace std::chrono_literals;

class Echo : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

class Greeter : public Protocol {
    void connectionMade() override { transport().write("hello\n"); }
};

// [authority]
void makeDevelopmentAuthority() {
    auto key = ssl::KeyPair::generate(ssl::KeyPair::Kind::ec);
    auto authority = key.selfSignedCert(1, ssl::DN{{"CN", "Development Authority"}});

    auto serverKey = ssl::KeyPair::generate(ssl::KeyPair::Kind::ec);
    auto request = serverKey.requestObject(ssl::DN{{"CN", "localhost"}}, {"localhost", "127.0.0.1"});
    auto certificate = authority.signRequestObject(request);
    auto server = ssl::PrivateCertificate::fromCertificateAndKeyPair(certificate, serverKey);

    std::string forTheServer = server.dumpPEM();                        // certificate and key: keep it secret
    std::string forItsClients = authority.ssl::Certificate::dumpPEM();  // the authority, without its key
}
// [end]

// [server]
Deferred<void> serve(Reactor& reactor, task::Arguments) {
    auto certificate = ssl::PrivateCertificate::loadPEM(readFile("ca/localhost.pem"));
    reactor.listenSSL(8000, Factory::forProtocol<Echo>(), certificate.options());
    co_await task::forever();
}
// [end]

// [several]
Deferred<void> serveSeveral(Reactor& reactor, task::Arguments) {
    ssl::CertificateDirectory certificates("certificates");
    ssl::CertificateWatch watch(reactor, certificates, 1min);  // reads them again when they have changed
    reactor.listenSSL(8000, Factory::forProtocol<Echo>(), certificates);
    co_await task::forever();
}
// [end]

// [map]
ssl::ServerNameMap shopAndStaff(const ssl::PrivateCertificate& shop, const ssl::PrivateCertificate& staff,
                                const ssl::Certificate& authority) {
    return ssl::ServerNameMap(ssl::ServerNameMap::Entries()
                                  .add(shop.options())            // the names of its certificate
                                  .add(staff.options(authority))  // demands certificates of its clients
                                  .byDefault(shop.options()));
}
// [end]

// [client]
Deferred<void> talk(Reactor& reactor, task::Arguments) {
    auto authority = ssl::Certificate::loadPEM(readFile("ca/public.pem"));
    auto options = ssl::optionsForClientTLS("localhost", authority);
    auto tcp = std::make_shared<endpoints::HostnameEndpoint>(reactor, "localhost", 8000);
    auto endpoint = endpoints::wrapClientTLS(options, tcp, ConnectionMade::afterHandshake);
    auto client = co_await endpoint->connect(Factory::forProtocol<Greeter>());  // the peer is verified
    client->transport().loseConnection();
}
// [end]

// [parameters]
ssl::CertificateOptions demanding(const ssl::PrivateCertificate& certificate, const ssl::Certificate& authority) {
    return ssl::CertificateOptions(ssl::CertificateOptions::Parameters(certificate)
                                       .trustRoot(authority)  // clients must show a certificate of this authority's
                                       .acceptableProtocols({"h2", "http/1.1"})
                                       .raiseMinimumTo(ssl::TLSVersion::TLSv1_3)
                                       .handshakeTimeout(10s)
                                       .closeTimeout(2s));
}
// [end]

// [resumption]
ssl::CertificateOptions resumable(const ssl::PrivateCertificate& certificate, const ssl::TicketKeys& keys) {
    return ssl::CertificateOptions(ssl::CertificateOptions::Parameters(certificate).ticketKeys(keys));
}

ssl::ClientTLSOptions resuming(const ssl::Certificate& authority) {
    return ssl::optionsForClientTLS("localhost", authority, std::nullopt, {},
                                    ssl::CertificateOptions::Parameters().enableSessions(true));
}
// [end]

// [revocation]
ssl::ClientTLSOptions careful(const ssl::Certificate& authority, const ssl::RevocationList& list) {
    return ssl::optionsForClientTLS("localhost", authority, std::nullopt, {},
                                    ssl::CertificateOptions::Parameters()
                                        .requestOCSP(ssl::OCSPPolicy::required)
                                        .revocationLists({list}, ssl::RevocationScope::wholeChain)
                                        .pinnedPublicKeys({authority.publicKeyPin()}));
}
// [end]

// [binding]
Bytes bindingOf(Transport& transport) { return transport.as<SSLTransport>().channelBinding("tls-exporter"); }
// [end]

// [keylog]
ssl::ClientTLSOptions readable(const ssl::Certificate& authority) {
    return ssl::optionsForClientTLS("localhost", authority, std::nullopt, {},
                                    ssl::CertificateOptions::Parameters().keyLogFromEnvironment());
}
// [end]
