#include <torsion/examples/options.hpp>

#include <cmath>
#include <cstdio>

#include <CLI/CLI.hpp>

#include <torsion/core/defer.hpp>
#include <torsion/core/file.hpp>
#include <torsion/examples/report.hpp>
#include <torsion/reactor/react.hpp>

namespace examples {

using namespace torsion;

namespace {

constexpr double kDefaultTimeout = 30;       // seconds
constexpr double kLongestTimeout = 1e6;      // seconds: much longer ones would not fit a Duration
constexpr int kLongestTLSTimeout = 1000000;  // milliseconds

/// Reads the file @p path with @p read, and says which file it was if that fails.
template <class Read>
auto load(const std::string& path, Read read) {
    try {
        return read(readFile(path));
    } catch (const std::system_error& error) {
        throw BadInput(error.what());  // names the file already
    } catch (const std::exception& error) {
        throw BadInput(path + ": " + error.what());
    }
}

ssl::PrivateCertificate loadOwn(const std::string& path) {
    return load(path, [](const Bytes& pem) { return ssl::PrivateCertificate::loadPEM(pem); });
}

/// Whether @p failure is about what the user gave, and not about the conversation.
bool isBadInput(const Failure& failure) { return failure.check<BadInput, ValueError, TypeError, std::system_error>(); }

const std::string& atOrLast(const std::vector<std::string>& values, std::size_t index) {
    return values[std::min(index, values.size() - 1)];
}

}  // namespace

Options::Options(std::string name, const std::string& purpose)
    : name_(std::move(name)), app_(std::make_unique<CLI::App>(purpose, name_)) {}

Options::~Options() = default;

Options& Options::server(int port) {
    host_ = "127.0.0.1";
    port_ = port;
    app_->add_option("--host", host_, "the address to listen on")->capture_default_str();
    app_->add_option("--port", port_, "the port to listen on, 0 to pick one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    return *this;
}

Options& Options::client(int port) {
    host_ = "localhost";
    port_ = port;
    timeout_ = kDefaultTimeout;
    app_->add_option("--host", host_, "whom to connect to")->capture_default_str();
    app_->add_option("--port", port_, "the port to connect to")->check(CLI::Range(1, 65535))->capture_default_str();
    app_->add_option("--timeout", timeout_, "how many seconds the server may be silent")->capture_default_str();
    return *this;
}

Options& Options::certificate() {
    app_->add_option("--cert", certificates_, "PEM file with our key and certificate")
        ->expected(1)
        ->default_str("server.pem beside this program");
    return *this;
}

Options& Options::certificates() {
    app_->add_option("--cert", certificates_, "PEM file with key and certificate of the next layer; the last is reused")
        ->allow_extra_args(false)
        ->default_str("server.pem beside this program");
    return *this;
}

Options& Options::clientAuthority() {
    app_->add_option("--client-ca", clientAuthority_, "PEM file with those who vouch for clients")
        ->default_str("public.pem beside this program");
    return *this;
}

Options& Options::verify() {
    app_->add_option("--hostname", hostnames_, "the name that the server must prove")
        ->expected(1)
        ->default_str("example.com");
    app_->add_option("--ca", authorities_, "PEM file with those who vouch for the server")->expected(1);
    return *this;
}

Options& Options::verifyOnPlatform() {
    onPlatform_ = true;
    app_->add_option("--hostname", hostnames_, "the name that the server must prove")->expected(1)->default_str("HOST");
    app_->add_option("--ca", authorities_, "PEM file with those who vouch for the server")
        ->expected(1)
        ->default_str("whom the platform trusts");
    return *this;
}

Options& Options::verifyLayers() {
    app_->add_option("--hostname", hostnames_, "the name that the next layer's server must prove")
        ->allow_extra_args(false)
        ->default_str("example.com");
    app_->add_option("--ca", authorities_, "PEM file with those who vouch for the next layer's server")
        ->allow_extra_args(false);
    return *this;
}

Options& Options::protocols() {
    app_->add_option("--protocols", protocols_, "application protocols, best first, with commas between")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->default_str("h2,http/1.1");
    return *this;
}

Options& Options::revocation() {
    app_->add_flag("--require-staple", requireStaple_, "demand a stapled OCSP response that the certificate is good");
    app_->add_option("--crl", revocationLists_, "PEM file with revocation lists to look the server's certificate up in")
        ->allow_extra_args(false);
    app_->add_option("--pin", pins_, "sha256/..., the public key of a certificate in the chain; may be repeated")
        ->allow_extra_args(false);
    return *this;
}

Options& Options::staple() {
    app_->add_option("--ocsp-response", ocspResponse_, "DER file with an OCSP response to staple");
    return *this;
}

Options& Options::timeouts() {
    app_->add_option("--handshake-timeout", handshakeTimeout_, "how many milliseconds the peer may take to shake hands")
        ->check(CLI::Range(1, kLongestTLSTimeout))
        ->default_str("30000");
    app_->add_option("--close-timeout", closeTimeout_, "how many milliseconds the peer may take to answer our close")
        ->check(CLI::Range(1, kLongestTLSTimeout))
        ->default_str("5000");
    return *this;
}

Options& Options::number(const std::string& name, int& value, int low, int high, const std::string& help) {
    app_->add_option(name, value, help)->check(CLI::Range(low, high))->capture_default_str();
    return *this;
}

Options& Options::text(const std::string& name, std::string& value, const std::string& help) {
    app_->add_option(name, value, help)->capture_default_str();
    return *this;
}

Options& Options::choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                         const std::string& help) {
    app_->add_option(name, value, help)->required()->check(CLI::IsMember(choices));
    return *this;
}

Options& Options::flag(const std::string& name, bool& value, const std::string& help) {
    app_->add_flag(name, value, help);
    return *this;
}

Options& Options::hostAndPort(int port) {
    host_ = "localhost";
    port_ = port;
    app_->add_option("HOST", host_, "the client's peer or the server's own address")->capture_default_str();
    app_->add_option("PORT", port_, "its port")->check(CLI::Range(0, 65535))->capture_default_str();
    return *this;
}

Options& Options::shortFiles() {
    app_->add_option("--ca", authorities_, "PEM file with those who vouch for the other side")->expected(1);
    app_->add_option("-c", certificates_, "PEM file with the server's key and certificate")
        ->expected(1)
        ->default_str("server.pem beside this program");
    return *this;
}

bool Options::given(const char* option) const {
    const CLI::Option* found = app_->get_option_no_throw(option);
    return found != nullptr && found->count() > 0;
}

bool Options::parse(int argc, char** argv, int& status) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // scripts read us through pipes, line by line
    try {
        app_->parse(argc, argv);
        if (given("--timeout") && !(timeout_ > 0 && timeout_ <= kLongestTimeout)) {
            throw CLI::ValidationError("--timeout", "must be a number of seconds");
        }
        if (hostnames_.empty()) hostnames_ = {onPlatform_ || given("HOST") ? host_ : "example.com"};
        return true;
    } catch (const CLI::CallForHelp&) {
        std::fputs(app_->help().c_str(), stdout);
        status = 0;
    } catch (const CLI::ParseError& error) {
        complain(name_, error.what());
        status = 1;
    }
    return false;
}

int Options::run(int argc, char** argv, ServerMain main) {
    int status = 0;
    if (!parse(argc, argv, status)) return status;
    return task::react([&](Reactor& reactor) {
        return main(reactor, *this).addErrback([&](const Failure& failure) {
            if (failure.check<task::Exit, defer::CancelledError>()) failure.raise();
            complain(name_, failure.getErrorMessage());
            throw task::Exit(1);
        });
    });
}

int Options::run(int argc, char** argv, PoolMain main) {
    int status = 0;
    if (!parse(argc, argv, status)) return status;
    try {
        main(*this);
    } catch (const std::exception& error) {
        complain(name_, error.what());
        return 1;
    }
    return 0;
}

int Options::run(int argc, char** argv, ProgramMain main) {
    int status = 0;
    return parse(argc, argv, status) ? main(*this) : status;
}

int Options::run(int argc, char** argv, ClientMain main) {
    int status = 0;
    if (!parse(argc, argv, status)) return status;
    Conversation conversation;
    bool finished = false;
    bool interrupted = false;
    bool unusable = false;
    task::react([&](Reactor& reactor) {
        reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [&] {
            interrupted = !finished;
            return defer::succeed();
        });
        Deferred<void> talk = main(reactor, *this, conversation);
        if (timeout_ > 0) {
            const std::chrono::milliseconds patience(std::llround(timeout_ * 1000));
            conversation.limitSilence(reactor, patience, [talk] { talk.cancel(); });
        }
        return talk
            .addErrback([&](const Failure& failure) {
                if (isBadInput(failure)) {
                    complain(name_, failure.getErrorMessage());
                    unusable = true;
                } else if (!failure.check<defer::CancelledError>()) {
                    conversation.bad(failure.getErrorMessage());
                }
            })
            .addCallback([&] { finished = true; });
    });
    return unusable ? 1 : conversation.conclude(interrupted);
}

const std::string& Options::hostname(std::size_t layer) const { return atOrLast(hostnames_, layer); }

ssl::TrustRoot Options::trustRoot(std::size_t layer) const {
    if (authorities_.empty()) {
        const bool meansBusiness =
            given("--host") || given("--port") || given("--hostname") || given("HOST") || given("PORT");
        if (onPlatform_ || meansBusiness) return ssl::platformTrust();
    }
    const std::string path = authorities_.empty() ? besideExecutable("public.pem") : atOrLast(authorities_, layer);
    return load(path,
                [](const Bytes& pem) { return ssl::trustRootFromCertificates(ssl::Certificate::loadAllPEM(pem)); });
}

ssl::PrivateCertificate Options::ownCertificate() const { return ownCertificates().front(); }

std::vector<ssl::PrivateCertificate> Options::ownCertificates() const {
    std::vector<ssl::PrivateCertificate> loaded;
    for (const std::string& path : certificates_) loaded.push_back(loadOwn(path));
    if (loaded.empty()) loaded.push_back(loadOwn(besideExecutable("server.pem")));
    return loaded;
}

std::vector<ssl::Certificate> Options::clientAuthorities() const {
    const std::string path = clientAuthority_.empty() ? besideExecutable("public.pem") : clientAuthority_;
    return load(path, [](const Bytes& pem) { return ssl::Certificate::loadAllPEM(pem); });
}

ssl::CertificateOptions::Parameters Options::demands() const {
    ssl::CertificateOptions::Parameters parameters;
    if (requireStaple_) parameters.requestOCSP(ssl::OCSPPolicy::required);
    if (!pins_.empty()) parameters.pinnedPublicKeys(pins_);
    std::vector<ssl::RevocationList> lists;
    for (const std::string& path : revocationLists_) {
        for (auto& list : load(path, [](const Bytes& pem) { return ssl::RevocationList::loadAllPEM(pem); })) {
            lists.push_back(std::move(list));
        }
    }
    if (!lists.empty()) parameters.revocationLists(std::move(lists));
    return parameters;
}

std::optional<Bytes> Options::ocspResponse() const {
    if (ocspResponse_.empty()) return std::nullopt;
    return load(ocspResponse_, [](const Bytes& der) { return der; });
}

}  // namespace examples
