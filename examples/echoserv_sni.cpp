/// The echo server over TLS for several host names: each client gets the certificate of the name that it asks for. The
/// files may change while it runs.

#include <optional>

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

namespace {
std::string path;  // of the certificates
int interval = 60;
}  // namespace

Deferred<void> serve(Reactor& reactor, const examples::Options& options) {
    ssl::CertificateDirectory certificates(path.empty() ? besideExecutable("server.pem") : path);
    std::optional<ssl::CertificateWatch> watch;
    if (interval > 0) watch.emplace(reactor, certificates, std::chrono::seconds(interval));
    auto factory = Factory::forProtocol<examples::Echo>();
    auto port = reactor.listenSSL(options.port(), factory, certificates, examples::kBacklog, options.interface());
    for (const std::string& name : certificates.current().names()) examples::print("serves: " + name);
    examples::listening(reactor, *port);
    co_await task::forever();
}

int main(int argc, char** argv) {
    examples::Options options("echoserv_sni", "Sends back whatever it receives over TLS, under several host names.");
    options.server()
        .text("--certificates", path, "folder of PEM files with key and certificate, or one (server.pem beside this)")
        .number("--reload", interval, 0, 86400,
                "how many seconds to wait before looking for changed files, 0 for ever");
    return options.run(argc, argv, serve);
}
