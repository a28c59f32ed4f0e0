#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <torsion/core/reactor.hpp>
#include <torsion/examples/conversation.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/trust_root.hpp>

namespace CLI {
class App;
}

namespace examples {

/// The command line of an example program, and the frame that it runs in. Declare what the program takes, then run:
///
///     return examples::Options("echoserv", "Echoes what it receives.").server().run(argc, argv, serve);
///
/// Every option has a default, so that a program and its pair run without any: on localhost, with the certificates that
/// the build has made for example.com. A client that is given an address or a name means business, and then trusts whom
/// the platform trusts unless --ca says otherwise.
class Options {
public:
    using ServerMain = torsion::Deferred<void> (*)(torsion::Reactor&, const Options&);
    using PoolMain = void (*)(const Options&);
    using ProgramMain = int (*)(const Options&);
    using ClientMain = torsion::Deferred<void> (*)(torsion::Reactor&, const Options&, Conversation);

    Options(std::string name, const std::string& purpose);
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
    ~Options();

    // What the program takes. Each returns the object, so that they chain.
    Options& server(int port = 8000);  ///< --host, --port
    Options& client(int port = 8000);  ///< --host, --port, --timeout
    Options& certificate();            ///< --cert
    Options& certificates();           ///< --cert, one a layer
    Options& clientAuthority();        ///< --client-ca
    Options& verify();                 ///< --hostname, --ca
    Options& verifyLayers();           ///< --hostname, --ca, one each a layer
    Options& protocols();              ///< --protocols
    Options& revocation();             ///< --require-staple, --crl, --pin
    Options& staple();                 ///< --ocsp-response
    Options& timeouts();               ///< --handshake-timeout, --close-timeout
    Options& verifyOnPlatform();       ///< the same, by default for --host and the platform
    Options& number(const std::string& name, int& value, int low, int high, const std::string& help);
    Options& text(const std::string& name, std::string& value, const std::string& help);
    Options& choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                    const std::string& help);
    Options& flag(const std::string& name, bool& value, const std::string& help);
    Options& hostAndPort(int port);  ///< HOST PORT, by position; a HOST given is also the name to verify
    Options& shortFiles();           ///< -c and --ca as --cert and --ca

    /// Reads the command line, runs a reactor with @p main until that is done or a signal comes. Input that cannot be
    /// used gives one line on stderr. @return the status to exit with
    int run(int argc, char** argv, ServerMain main);

    /// The same for a client; prints the verdict on its conversation last.
    int run(int argc, char** argv, ClientMain main);

    /// The same for a server with reactors of its own: runs @p main, which runs them.
    int run(int argc, char** argv, PoolMain main);

    /// The same for a program that ends with a status of its own.
    int run(int argc, char** argv, ProgramMain main);

    const std::string& host() const noexcept { return host_; }
    int port() const noexcept { return port_; }

    /// The host as an address to listen on, which no name but localhost can be.
    std::string interface() const { return host_ == "localhost" ? "127.0.0.1" : host_; }

    const std::vector<std::string>& protocolList() const noexcept { return protocols_; }

    /// The name that the server of layer @p layer, counted from 0, must prove; the last name counts for deeper ones.
    const std::string& hostname(std::size_t layer = 0) const;

    /// Who may vouch for that server. @throws BadInput
    torsion::ssl::TrustRoot trustRoot(std::size_t layer = 0) const;

    /// Whether the user said who may vouch.
    bool authoritiesGiven() const noexcept { return !authorities_.empty(); }

    /// The program's own certificate. @throws BadInput
    torsion::ssl::PrivateCertificate ownCertificate() const;

    /// One for each layer. @throws BadInput
    std::vector<torsion::ssl::PrivateCertificate> ownCertificates() const;

    /// Who vouches for a server's clients. @throws BadInput
    std::vector<torsion::ssl::Certificate> clientAuthorities() const;

    /// What the user demands of a server's certificate beyond the usual: a staple, revocation lists, pins.
    /// @throws BadInput, ValueError
    torsion::ssl::CertificateOptions::Parameters demands() const;

    /// The OCSP response to send along; none if the user gave none. @throws BadInput
    std::optional<torsion::Bytes> ocspResponse() const;

    /// A server's or client's recipe with the timeouts that the user gave; the others stay what they are.
    template <class Recipe>
    Recipe limited(Recipe recipe) const {
        if (handshakeTimeout_ > 0) recipe.setHandshakeTimeout(std::chrono::milliseconds(handshakeTimeout_));
        if (closeTimeout_ > 0) recipe.setCloseTimeout(std::chrono::milliseconds(closeTimeout_));
        return recipe;
    }

private:
    bool parse(int argc, char** argv, int& status);
    bool given(const char* option) const;

    std::string name_;
    std::unique_ptr<CLI::App> app_;
    std::string host_;
    int port_ = 0;
    double timeout_ = 0;        // seconds; 0 is none
    int handshakeTimeout_ = 0;  // milliseconds; 0 is the library's own
    int closeTimeout_ = 0;      // the same
    std::vector<std::string> hostnames_;
    std::vector<std::string> authorities_;
    std::vector<std::string> certificates_;
    std::string clientAuthority_;
    bool requireStaple_ = false;
    std::vector<std::string> revocationLists_;
    std::vector<std::string> pins_;
    std::string ocspResponse_;
    std::vector<std::string> protocols_{"h2", "http/1.1"};
    bool onPlatform_ = false;
};

/// Something that the user gave cannot be used; the text says what and where.
class BadInput : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace examples
