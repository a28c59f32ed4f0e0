/// The echo server over TLS; the protocol does not know (echoserv_ssl.py).

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

namespace {
bool sessions = false;
bool sessionTickets = false;
}  // namespace

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    auto certificate = options.ownCertificate();
    auto factory = Factory::forProtocol<examples::Echo>();
    auto parameters = ssl::CertificateOptions::Parameters(certificate);
    parameters.enableSessions(sessions).enableSessionTickets(sessionTickets);
    auto response = options.ocspResponse();
    if (response) parameters.ocspResponse(*response);
    auto tls = options.limited(ssl::CertificateOptions(parameters));
    auto port = reactor.listenSSL(options.port(), factory, tls, examples::kBacklog, options.interface());
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("echoserv_ssl", "Sends back whatever it receives over TLS.");
    options.server().certificate().staple().timeouts();
    options.flag("--sessions", sessions, "let clients resume sessions that are kept here");
    options.flag("--session-tickets", sessionTickets, "let clients resume sessions by tickets");
    return options.run(argc, argv, serve);
}
