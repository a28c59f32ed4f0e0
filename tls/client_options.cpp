#include <torsion/tls/client_options.hpp>

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/context.hpp>
#include <torsion/tls/session.hpp>

namespace torsion::ssl {

namespace {

void refuseServer(Role role) {
    if (role == Role::server) {
        throw TypeError(
            "Options made for a client cannot serve a server: use CertificateOptions or PrivateCertificate::options()");
    }
}

}  // namespace

/// Puts the arguments of the two functions together.
class ClientRecipe {
public:
    using Parameters = CertificateOptions::Parameters;

    explicit ClientRecipe(const Parameters& extra) : parameters_(extra) {
        const bool verification = extra.trustRoot_ || extra.verify_ || extra.caCerts_ || extra.requireCertificate_;
        if (verification) {
            throw TypeError(
                "The extra parameters of a client must not say whom it trusts: trustRoot is an argument of its own");
        }
    }

    void setCertificate(const PrivateCertificate& certificate) {
        if (parameters_.privateKey_ || parameters_.certificate_ || parameters_.extraCertChain_) {
            throw TypeError("The client certificate is given twice, as an argument and in the extra parameters");
        }
        const Parameters own(certificate);
        parameters_.privateKey_ = own.privateKey_;
        parameters_.certificate_ = own.certificate_;
        parameters_.extraCertChain_ = own.extraCertChain_;
    }

    void setProtocols(const std::vector<std::string>& protocols) {
        if (protocols.empty()) return;
        if (!parameters_.acceptableProtocols_.empty()) {
            throw TypeError("acceptableProtocols is given twice, as an argument and in the extra parameters");
        }
        parameters_.acceptableProtocols_ = protocols;
    }

    ClientTLSOptions verifying(const Identity& identity, const TrustRoot& trustRoot) {
        parameters_.trustRoot(trustRoot);
        ClientTLSOptions options;
        options.hostname_ = identity.name;
        fill(options, identity, &identity);
        return options;
    }

    InsecureClientOptions insecure(const Identity& identity) {
        InsecureClientOptions options;
        fill(options, identity, nullptr);
        return options;
    }

private:
    template <class Options>
    void fill(Options& options, const Identity& name, const Identity* required) {
        if (!name.isAddress) options.serverName_ = name.name;  // RFC 6066, 3: no addresses in SNI
        options.context_ = std::make_shared<const Context>(parameters_, Role::client, required);
        options.handshakeTimeout_ = parameters_.handshakeTimeout_;
        options.closeTimeout_ = parameters_.closeTimeout_;
    }

    Parameters parameters_;
};

std::shared_ptr<const ContextFactory> ClientTLSOptions::share() const {
    return std::make_shared<ClientTLSOptions>(*this);
}

std::unique_ptr<Session> ClientTLSOptions::newSession(Role role, const SessionOptions& options) const {
    refuseServer(role);
    return context_->newSession(options, serverName_);
}

ClientTLSOptions& ClientTLSOptions::setHandshakeTimeout(Duration timeout) {
    handshakeTimeout_ = checkedTimeout(timeout, "handshake timeout");
    return *this;
}

ClientTLSOptions& ClientTLSOptions::setCloseTimeout(Duration timeout) {
    closeTimeout_ = checkedTimeout(timeout, "close timeout");
    return *this;
}

std::shared_ptr<const ContextFactory> InsecureClientOptions::share() const {
    return std::make_shared<InsecureClientOptions>(*this);
}

std::unique_ptr<Session> InsecureClientOptions::newSession(Role role, const SessionOptions& options) const {
    refuseServer(role);
    return context_->newSession(options, serverName_);
}

InsecureClientOptions& InsecureClientOptions::setHandshakeTimeout(Duration timeout) {
    handshakeTimeout_ = checkedTimeout(timeout, "handshake timeout");
    return *this;
}

InsecureClientOptions& InsecureClientOptions::setCloseTimeout(Duration timeout) {
    closeTimeout_ = checkedTimeout(timeout, "close timeout");
    return *this;
}

ClientTLSOptions optionsForClientTLS(std::string_view hostname, const TrustRoot& trustRoot,
                                     const std::optional<PrivateCertificate>& clientCertificate,
                                     const std::vector<std::string>& acceptableProtocols,
                                     const CertificateOptions::Parameters& extra) {
    const Identity identity = Identity::parse(hostname);
    ClientRecipe recipe(extra);
    if (clientCertificate) recipe.setCertificate(*clientCertificate);
    recipe.setProtocols(acceptableProtocols);
    return recipe.verifying(identity, trustRoot);
}

InsecureClientOptions insecureOptionsForClientTLS(std::string_view serverName,
                                                  const std::vector<std::string>& acceptableProtocols,
                                                  const CertificateOptions::Parameters& extra) {
    const Identity identity = serverName.empty() ? Identity() : Identity::parse(serverName);
    ClientRecipe recipe(extra);
    recipe.setProtocols(acceptableProtocols);
    InsecureClientOptions options = recipe.insecure(identity);
    log::warn("TLS client options were made that verify nobody: the connection can be read and changed on its way",
              "ssl");
    return options;
}

}  // namespace torsion::ssl
